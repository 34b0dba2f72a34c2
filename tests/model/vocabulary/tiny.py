"""Tiny tokenizers of the kinds that multilingual encoders have, learned from a few sentences of English and French."""

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from optical.model.vocabulary.unigram_learning import learn_unigram

ENGLISH = [
    "the child drinks cold water from the river",
    "the teacher reads a book to the children at school",
    "a cup of coffee, and the news of 2012!",
    "the waters of the river are cold; is the school closed?",
]
FRENCH = ["l'enfant boit de l'eau fraîche à l'école", "le café est fermé, la rivière est froide"]
SWAHILI = [
    "mtoto anakunywa maji baridi ya mto",
    "mwalimu anasoma kitabu shuleni, watoto wanasoma vitabu",
    "ng'ombe wanakunywa maji ya mto baridi",
    "watoto wanasoma shuleni na mwalimu anasoma kitabu",
]
HINDI = ["बच्चा ठंडा पानी पीता है", "अध्यापक किताब पढ़ता है"]
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")


def of_xlmr(pieces: int = 200) -> Tokenizer:
    """As XLM-R has it: special tokens first, the mask as the last piece, and two markers behind the model's pieces."""
    words: dict[str, int] = {}
    normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    for text in ENGLISH + FRENCH:
        for word, _ in pre_tokenizers.Metaspace().pre_tokenize_str(normalizer.normalize_str(text)):
            words[word] = words.get(word, 0) + 5
    learned = learn_unigram(words, pieces)
    rare = [(character, -12.0) for character in map(chr, range(33, 127)) if character not in learned]
    vocab = [*((token, 0.0) for token in SPECIAL), *learned.items(), *rare, ("<mask>", 0.0)]
    made = Tokenizer(models.Unigram(vocab, 3, False))
    made.normalizer, made.pre_tokenizer = normalizer, pre_tokenizers.Metaspace()
    made.add_special_tokens([*SPECIAL, AddedToken("<mask>", lstrip=True)])
    made.add_special_tokens(["[Q] ", "[unused0]"])
    made.add_tokens(["qwertz"])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    made.encode_special_tokens = True
    return made


def of_roberta(pieces: int = 400, composing: bool = False) -> Tokenizer:
    """As RoBERTa has it, or with the normaliser of ModernBERT: all bytes, the mask behind the model's pieces."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if composing:
        made.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    made.train_from_iterator((ENGLISH + FRENCH) * 5, trainer)
    made.add_special_tokens(["<mask>", "[Q] "])
    made.add_tokens(["qwertz"])
    made.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    made.encode_special_tokens = True
    return made
