"""The benchmarks of teachers and of dev measures, on made-up figures."""

import numpy as np
import pytest

from benchmarks import dev_measures, lexicon, teacher


def test_no_question_and_no_answer_is_trained_on_and_tested():
    rows = [
        {"focus": f"Disease {number // 2}", "question": f"What is {number}?", "answer": f"It is  {number % 35}."}
        for number in range(40)
    ]
    split = teacher.split_by_disease(rows, pairs=100)
    assert split == teacher.split_by_disease(rows, pairs=100)
    questions, answers = zip(*split.pairs, strict=True)
    assert len(set(questions)) == len(questions) and len(set(answers)) == len(answers)
    assert not {*questions} & {*split.questions} and not {*answers} & {*split.answers}
    assert all("  " not in answer for answer in split.answers)
    right = {question: {split.answers[place] for place in places} for question, places in split.questions.items()}
    assert all(right[row["question"]] == {" ".join(row["answer"].split())} for row in rows if row["question"] in right)
    assert len(teacher.split_by_disease(rows, pairs=2).pairs) == 2


def test_agreements_of_two_rankings_by_hand():
    goal, found = np.array([[4.0, 3.0, 2.0, 1.0]]), np.array([[3.0, 4.0, 2.0, 1.0]])
    measures = dict(dev_measures._agreements(goal, found))
    assert measures["overlap at 1"] == 0 and measures["overlap at 3"] == 1
    assert measures["reciprocal rank of the teacher's best"] == 0.5
    assert measures["Spearman of the scores"] == pytest.approx(0.8)
    same = dict(dev_measures._agreements(goal, goal))
    assert all(
        value == pytest.approx(1)
        for name, value in same.items()
        if name not in ("overlap at 10", "overlap at 30", "rank-biased overlap")
    )


def test_a_candidate_that_orders_as_the_test_does_comes_first():
    students = [
        dev_measures.Student(f"run-{number}", "ot", tested, {"bad": -tested, "good": tested**2})
        for number, tested in enumerate((0.1, 0.3, 0.2, 0.4))
    ]
    rows = dev_measures._correlations(students)
    assert [row[0] for row in rows] == ["good", "bad"]
    assert rows[0][1:3] == ("1.000", "1.000") and rows[1][4] == "-1.000"


def test_a_lexicon_of_plans_by_hand():
    """Mass of pieces becomes mass of words; Dice finds the rarer word that goes with a word alone."""
    pieces = [(0, 2), (2, 4), (4, 9)]
    assert lexicon._membership("maji safi", pieces).tolist() == [[1, 1, 0], [0, 0, 1]]
    found: lexicon.Weights = {}
    lexicon._add(found, ["maji", "safi"], ["the", "water"], np.array([[0.6, 0.5], [0.9, 0.0]]))
    assert lexicon._ordered(found, dice=False)["maji"] == ("the", "water")
    assert lexicon._ordered(found, dice=True)["maji"] == ("water", "the")
    gold = {"maji": {"water"}, "safi": {"clean"}}
    assert lexicon._quality(lexicon._ordered(found, dice=False), gold) == ("0.000", "0.500")
    assert lexicon._quality(lexicon._ordered(found, dice=True), gold) == ("0.500", "0.500")
