"""Function words of some languages: the short words that make up a third of running text, whatever it is about.

Words that are as common in another language of the list are left out, so that each tells its language.
"""

FUNCTION_WORDS = {
    "eng": """the of and is for that with you are this be not have from they his her it by we what which who how there
        their would when your were been has had did does my she but could should where why them than into it's don't i
        i'm he""",
    "fra": """le les des et est une du que qui dans pour pas sur plus par ce cette avec il elle je vous nous sont au aux
        ne mais ou où c'est d'un qu'il leur sa ses""",
    "deu": """der die das und ist nicht ein eine einen zu den mit ich sie es auf für von dem sich auch wir ihr wie aber
        sind wird dass im bei nach oder""",
    "spa": """el los las que y un una en por con para está es lo como pero más su sus del al no fue son este esta qué
        quién cuándo dónde cuál""",
    "swa": """na ya wa kwa ni la za cha katika kuwa hii hiyo huo yake wake lakini kama hilo hayo au pia vya nini nani
        lini gani wapi hizo kutoka mimi yeye sana""",
    "som": """iyo oo ka ku waa ee ah uu ay soo waxaa inay inuu ayaa kala laga lagu loo wuxuu waxay sida kuwa ama isku
        haddii waxa""",
    "fin": """ja on ei se että hän oli ole minä sinä mitä mutta kuin joka kun myös ovat minun olen kuka missä milloin
        tämä niin""",
    "tgl": """ang ng sa mga ay na si ni ako siya ito hindi kung para kanyang isang niya ko mo ka nang at may""",
    "ind": """yang dan di dengan untuk tidak dari pada adalah itu ini dalam akan oleh juga telah mereka bahwa atau
        saya""",
}
"""By ISO 639-3 code, in lower case, divided by white space."""
