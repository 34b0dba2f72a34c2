"""The noun table of the demo world, for a Swahili speaker to read and correct.

A row is ``classes singular plural english english-plural``; ``=`` repeats the word before, ``-`` marks a mass noun.
The heading of a group gives its tags, and a place adds the English preposition that goes with it.
"""

NOUNS = """
[person]
1/2 mwalimu walimu teacher teachers
1/2 mkulima wakulima farmer farmers
1/2 mpishi wapishi cook cooks
1/2 mvuvi wavuvi fisherman fishermen
1/2 mfanyabiashara wafanyabiashara trader traders
1/2 mwanafunzi wanafunzi student students
1/2 mtoto watoto child children
1/2 mwanamke wanawake woman women
1/2 mwanamume wanaume man men
1/2 mzee wazee elder elders
1/2 mgeni wageni guest guests
1/2 mchungaji wachungaji shepherd shepherds
1/2 mwimbaji waimbaji singer singers
1/2 mwandishi waandishi writer writers
1/2 muuguzi wauguzi nurse nurses
1/2 mwindaji wawindaji hunter hunters
1/2 mfalme wafalme king kings
1/2 mjenzi wajenzi builder builders
1/2 mshonaji washonaji tailor tailors
1/2 msafiri wasafiri traveller travellers
1/2 mwizi wezi thief thieves
1/2 mlinzi walinzi guard guards
1/2 mjumbe wajumbe messenger messengers
5/6 daktari madaktari doctor doctors
5/6 fundi mafundi mechanic mechanics
5/6 seremala maseremala carpenter carpenters
5/6 dereva madereva driver drivers
5/6 rubani marubani pilot pilots
5/6 waziri mawaziri minister ministers
7/8 kiongozi viongozi leader leaders
9/10 askari askari soldier soldiers
[person kin]
9/6 rafiki marafiki friend friends
9/10 dada dada sister sisters
9/10 kaka kaka brother brothers
[animal]
9/10 mbwa = dog dogs
9/10 paka = cat cats
9/10 ng'ombe = cow cows
9/10 mbuzi = goat goats
9/10 kuku = chicken chickens
9/10 simba = lion lions
9/10 tembo = elephant elephants
9/10 ndege = bird birds
9/10 punda = donkey donkeys
9/10 farasi = horse horses
9/10 nyoka = snake snakes
9/10 ngamia = camel camels
9/10 nyani = monkey monkeys
7/8 kiboko viboko hippo hippos
[food fruit]
9/10 ndizi = banana bananas
5/6 chungwa machungwa orange oranges
5/6 embe maembe mango mangoes
9/10 nazi = coconut coconuts
5/6 nanasi mananasi pineapple pineapples
5/6 tunda matunda fruit fruits
[food meal]
5/6 yai mayai egg eggs
3/4 mkate mikate loaf loaves
7/8 kiazi viazi potato potatoes
7/8 kitunguu vitunguu onion onions
3/3 mchele = rice -
6/6 mahindi = maize -
9/9 nyama = meat -
9/9 asali = honey -
9/9 sukari = sugar -
[drink]
9/9 chai = tea -
9/9 kahawa = coffee -
6/6 maji = water -
6/6 maziwa = milk -
[thing]
7/8 kiti viti chair chairs
7/8 kisu visu knife knives
7/8 kikombe vikombe cup cups
7/8 kikapu vikapu basket baskets
7/8 kitanda vitanda bed beds
7/8 chungu vyungu pot pots
7/8 kioo vioo mirror mirrors
9/10 kalamu = pen pens
9/10 meza = table tables
9/10 taa = lamp lamps
9/10 ngoma = drum drums
9/10 redio = radio radios
9/10 simu = telephone telephones
9/10 picha = picture pictures
5/6 jiwe mawe stone stones
5/6 shoka mashoka axe axes
5/6 jembe majembe hoe hoes
3/4 mfuko mifuko bag bags
3/4 mkeka mikeka mat mats
11/10 ufunguo funguo key keys
11/10 ufagio fagio broom brooms
11/10 upanga panga sword swords
[thing open]
5/6 sanduku masanduku box boxes
[text]
7/8 kitabu vitabu book books
9/10 barua = letter letters
5/6 gazeti magazeti newspaper newspapers
9/10 hadithi = story stories
[song]
11/10 wimbo nyimbo song songs
[cloth]
5/6 shati mashati shirt shirts
9/10 kofia = hat hats
7/8 kiatu viatu shoe shoes
5/6 gauni magauni dress dresses
5/6 koti makoti coat coats
5/6 blanketi mablanketi blanket blankets
[vehicle]
5/6 gari magari car cars
9/10 baiskeli = bicycle bicycles
5/6 basi mabasi bus buses
9/10 meli = ship ships
3/4 mtumbwi mitumbwi canoe canoes
5/6 lori malori truck trucks
[plant]
3/4 mti miti tree trees
5/6 ua maua flower flowers
3/4 mgomba migomba banana-plant banana-plants
3/4 mnazi minazi palm palms
5/6 jani majani leaf leaves
[body]
5/6 jicho macho eye eyes
5/6 jino meno tooth teeth
3/4 mkono mikono hand hands
3/4 mguu miguu leg legs
[building open]
3/4 mlango milango door doors
5/6 dirisha madirisha window windows
[building]
5/6 daraja madaraja bridge bridges
3/4 mnara minara tower towers
11/10 ukuta kuta wall walls
9/10 nyumba = house houses
[building place open]
9/10 shule = school schools at
5/6 kanisa makanisa church churches in
3/4 msikiti misikiti mosque mosques in
9/10 hospitali = hospital hospitals in
5/6 duka maduka shop shops in
5/6 soko masoko market markets at
9/10 hoteli = hotel hotels in
7/8 kituo vituo station stations at
7/8 kiwanda viwanda factory factories in
9/10 maktaba = library libraries in
9/10 ofisi = office offices in
7/8 chumba vyumba room rooms in
[land place]
7/8 kijiji vijiji village villages in
3/4 mji miji town towns in
3/4 mlima milima mountain mountains on
3/4 msitu misitu forest forests in
5/6 shamba mashamba farm farms on
9/10 bustani = garden gardens in
7/8 kisiwa visiwa island islands on
[water place]
3/4 mto mito river rivers at
9/10 bahari = sea seas at
7/8 kisima visima well wells at
9/10 barabara = road roads on
[event]
9/10 harusi = wedding weddings
3/4 mkutano mikutano meeting meetings
9/10 sherehe = feast feasts
3/4 mchezo michezo game games
"""
