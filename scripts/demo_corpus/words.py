"""The other word tables of the demo world: adjectives, verbs, names, towns, times.

An adjective row is ``stem english tags``: ``-`` before a stem that takes a prefix, ``~`` before one that follows the
associative -a, and ``english/upright`` where what stands is tall and what lies is long. A verb row is
``stem: English forms: tags of subjects: tags of objects``, then ``stative`` or the preposition of a verb of motion.
A time row is ``swahili: english: tenses``.
"""

ADJECTIVES = """
-kubwa big animal fruit thing building land water plant vehicle body cloth text
-dogo small animal fruit thing building land water plant vehicle body cloth text
-zuri beautiful animal thing building land plant cloth song text body
-baya bad animal food drink text song
-refu long/tall person building plant text song body water
-fupi short person building plant text song
-pya new thing cloth building vehicle text song
-zito heavy thing vehicle fruit
-tamu sweet food drink
-kali fierce animal
-gumu hard fruit meal
-pana wide water land building
-nene fat animal
-embamba thin animal plant cloth text
-eupe white animal thing building vehicle cloth plant
-eusi black animal thing building vehicle cloth
-ekundu red thing building vehicle cloth plant fruit
-chafu dirty thing cloth building vehicle body drink
-kavu dry plant land fruit
-bovu rotten food
-bichi raw fruit meal
-vivu lazy person animal
-ema kind person
-pole gentle person animal
-ingine other animal thing text cloth vehicle
safi clean cloth thing building drink body
tajiri rich person
maskini poor person
hodari brave person
maarufu famous person building song land event
ghali expensive thing cloth vehicle drink
imara strong building vehicle
~zamani old thing cloth building vehicle text song
~kijani green thing cloth plant building vehicle
~kisasa modern building vehicle thing cloth
~ajabu strange animal text song land plant event
"""

VERBS = """
jenga: build built built: person: building
nunua: buy bought bought: person: food thing cloth animal vehicle text drink
uza: sell sold sold: person: food thing cloth animal vehicle text drink
pika: cook cooked cooked: person: meal
la: eat ate eaten: person animal: food
nywa: drink drank drunk: person animal: drink
soma: read read read: person: text
andika: write wrote written: person: text song
ona: see saw seen: person animal: person animal building land vehicle plant thing: stative
penda: love loved loved: person: person animal food drink song text land cloth: stative
leta: bring brought brought: person: food drink thing text cloth animal
beba: carry carried carried: person: food thing cloth plant
vunja: break broke broken: person animal: thing building
fungua: open opened opened: person: open
funga: close closed closed: person: open
osha: wash washed washed: person: cloth vehicle body thing
safisha: clean cleaned cleaned: person: building vehicle thing
tengeneza: repair repaired repaired: person: vehicle thing building
kata: cut cut cut: person: plant meal fruit
chora: draw drew drawn: person: animal building plant vehicle land person
imba: sing sang sung: person: song
fundisha: teach taught taught: person: person
saidia: help helped helped: person: person
ita: call called called: person: person
fukuza: chase chased chased: person animal: animal person
winda: hunt hunted hunted: person: animal
tafuta: look-for looked-for looked-for: person animal: person animal food thing text cloth
poteza: lose lost lost: person: thing text cloth animal
iba: steal stole stolen: person animal: food thing text cloth
ficha: hide hid hidden: person: thing text cloth food
tuma: send sent sent: person: text thing food cloth
pokea: receive received received: person: text thing food person cloth
shona: sew sewed sewn: person: cloth
vaa: wear wore worn: person: cloth
endesha: drive drove driven: person: vehicle
vuka: cross crossed crossed: person animal: water
tembelea: visit visited visited: person: place person
linda: guard guarded guarded: person: place building animal
chagua: choose chose chosen: person: cloth thing food text person animal
sahau: forget forgot forgotten: person: text thing song cloth: stative
kumbuka: remember remembered remembered: person: song text person place: stative
sikia: hear heard heard: person animal: song person animal: stative
fuata: follow followed followed: person animal: person animal vehicle
hesabu: count counted counted: person: animal food thing building cloth plant
tupa: throw threw thrown: person: thing food cloth
choma: roast roasted roasted: person: meal
changanya: mix mixed mixed: person: drink meal
lala: sleep slept slept: person animal:
cheza: play played played: person animal:
cheka: laugh laughed laughed: person:
lia: cry cried cried: person:
anguka: fall fell fallen: person animal building plant thing:
kimbia: run ran run: person animal:: to
tembea: walk walked walked: person animal:
fika: arrive arrived arrived: person vehicle:
ondoka: leave left left: person vehicle:: from
rudi: return returned returned: person vehicle:: to
safiri: travel travelled travelled: person:: to
fa: die died died: person animal plant:
kaa: sit sat sat: person animal:
ishi: live lived lived: person animal:: stative
ruka: jump jumped jumped: person animal:
ogelea: swim swam swum: person animal:
shinda: win won won: person:
subiri: wait waited waited: person animal:
pumzika: rest rested rested: person animal:
ungua: burn burned burned: building plant food:
zama: sink sank sunk: vehicle:
potea: disappear disappeared disappeared: person animal thing:
fanya kazi: work worked worked: person:
ja: come came come: person animal:: to
"""

NAMES = """
he: Juma Baraka Hamisi Rashidi Musa Daudi Yusufu Omari Salim Bakari Kassim Jabali Hassani Tumaini Idi
she: Amina Neema Zawadi Fatuma Rehema Asha Halima Zuhura Mariamu Saida Subira Furaha Mwajuma Zainabu Johari
"""

TOWNS = """
Mwanza Tanga Dodoma Arusha Moshi Tabora Kigoma Iringa Mbeya Morogoro Lindi Mtwara Bukoba Musoma Songea
Mombasa Nairobi Kisumu Nakuru Malindi Lamu Eldoret Machakos Kitale Garissa Zanzibar Bagamoyo Kilwa Singida Shinyanga
"""

TIMES = """
asubuhi: in the morning: present past future perfect
jioni: in the evening: present past future
usiku: at night: past future habitual
jana: yesterday: past
mwaka jana: last year: past
wiki iliyopita: last week: past
mwezi uliopita: last month: past
leo: today: present past future perfect
kesho: tomorrow: future
wiki ijayo: next week: future
mwaka ujao: next year: future
sasa: now: present
kila siku: every day: habitual
kila asubuhi: every morning: habitual
wakati wa mvua: in the rainy season: past habitual
wakati wa kiangazi: in the dry season: past habitual
siku ya Jumatatu: on Monday: past future
siku ya Jumanne: on Tuesday: past future
siku ya Jumatano: on Wednesday: past future
siku ya Alhamisi: on Thursday: past future
siku ya Ijumaa: on Friday: past future
siku ya Jumamosi: on Saturday: past future
siku ya Jumapili: on Sunday: past future
"""
