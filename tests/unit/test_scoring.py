"""Scores are those of scikit-learn and of the printed tables, under keys that leaderboards use."""

from __future__ import annotations

import numpy as np
import pytest

from whorl.challenge import scoring
from whorl.challenge.submissions import FORMS, Submission
from whorl.records import BadInput

FORM = FORMS["2023"]


def truth_of(tmp_path, labels, task="membership", patients=None, name="answers.csv"):
    rows = ["file,label" + (",patient" if patients else "")]
    rows += [
        f"p{n:05d}.png,{word}" + (f",{patients[n]}" if patients else "") for n, word in enumerate(labels)
    ]
    (tmp_path / name).write_text("\n".join(rows) + "\n")
    return scoring.read_truth(tmp_path / name, task, FORM)


def run_of(values, groups=("0", "1")):
    return Submission(np.asarray(values, np.int16), tuple(groups))


@pytest.mark.parametrize("seed", range(5))
def test_membership_metrics_are_those_of_scikit_learn(tmp_path, seed):
    from sklearn import metrics

    generator = np.random.default_rng(seed)
    labels, said = generator.random(200) < 0.4, generator.random(200) < generator.random()
    found = scoring.score(truth_of(tmp_path, labels.astype(int)), run_of(said)).values
    expected = {
        "accuracy": metrics.accuracy_score(labels, said),
        "precision": metrics.precision_score(labels, said, zero_division=0),
        "recall": metrics.recall_score(labels, said),
        "specificity": metrics.recall_score(~labels, ~said),
        "f1": metrics.f1_score(labels, said, zero_division=0),
        "kappa": metrics.cohen_kappa_score(labels, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, said),
        "mcc": metrics.matthews_corrcoef(labels, said),
        "share_used": said.mean(),
    }
    assert found == pytest.approx(expected)


def test_attribution_is_free_of_names(tmp_path):
    from sklearn.metrics import adjusted_rand_score

    generator = np.random.default_rng(0)
    labels = generator.integers(4, size=300)
    said = np.where(generator.random(300) < 0.7, (labels + 1) % 4, generator.integers(4, size=300))
    truth = truth_of(tmp_path, [f"model_{label}" for label in labels], "attribution")
    found = scoring.score(truth, run_of(said, "abcd")).values
    assert found["adjusted_rand_index"] == pytest.approx(adjusted_rand_score(labels, said))
    assert found["hungarian_accuracy"] == pytest.approx(np.mean(said == (labels + 1) % 4))
    perfect = scoring.score(truth, run_of((labels + 2) % 4, "abcd")).values
    assert perfect == {"adjusted_rand_index": 1.0, "hungarian_accuracy": 1.0, "groups": 4.0}


def test_f1_has_the_factor_that_the_overviews_left_out(tmp_path):
    # Run 848 of 2024 on model 1 as printed: accuracy 0.51, precision 0.506, recall 0.847, F1 0.633.
    labels = np.repeat([1, 0], 2000)
    said = np.concatenate([np.arange(2000) < 1694, np.arange(2000) < 1654])
    found = scoring.score(truth_of(tmp_path, labels), run_of(said)).values
    p, r = found["precision"], found["recall"]
    assert (round(p, 3), r) == (0.506, 0.847)
    assert found["f1"] == pytest.approx(2 * p * r / (p + r)) and int(found["f1"] * 1000) == 633
    assert "factor 2" in scoring.ERRATUM


def test_constants_have_the_scores_of_the_textbook(tmp_path):
    truth = truth_of(tmp_path, [1] * 50 + [0] * 50)
    always = scoring.score(truth, run_of(np.ones(100))).values
    assert always["f1"] == pytest.approx(2 / 3) and always["kappa"] == always["mcc"] == 0
    never = scoring.score(truth, run_of(np.zeros(100)))
    assert never.values["f1"] == never.values["precision"] == 0 and never.values["accuracy"] == 0.5
    assert never.counts == (0, 0, 50, 50)


def test_keys_are_those_of_the_columns_and_means_are_means(tmp_path):
    truth = truth_of(tmp_path, [1, 0] * 20)
    one = scoring.score(truth, run_of(np.ones(40)), "1")
    two = scoring.score(truth, run_of([1, 0] * 20), "2")
    found = scoring.flat("membership", [one, two])
    assert list(found) == list(scoring.columns("membership", ["1", "2"]))
    assert found["mean_f1"] == pytest.approx((2 / 3 + 1) / 2) and found["model_2_f1"] == 1
    assert scoring.columns("attribution", ["1"])["mean_adjusted_rand_index"] == "Mean ARI"


def test_answers_may_come_in_any_order_and_spelling(tmp_path):
    (tmp_path / "one.csv").write_text("file,label,patient\nb.png,used,P1\na.png,0,P2\nc.png,1,P1\n")
    (tmp_path / "two.csv").write_text("patient,label,file\nP2,not_used,a.png\nP1,1,b.png\nP1,used,c.png\n")
    one, two = (scoring.read_truth(tmp_path / name, "membership", FORM) for name in ("one.csv", "two.csv"))
    assert one.ids.tolist() == [b"a", b"b", b"c"] and one.labels.tolist() == [0, 1, 1]
    assert one.patients == ("P2", "P1", "P1") and one.digest == two.digest and one.used == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file,label\na,1\nb,1\n", "at least two labels"),
        ("file,label,patient\na,1,P\nb,0,\n", "give all of them or none"),
        ("file,label\na,1\na,0\n", "twice"),
        ("file,label\na.png,1\na.jpg,0\n", "twice"),
        ("file,label\na,maybe\n", "maybe"),
    ],
)
def test_answers_that_score_nothing_are_refused(tmp_path, text, told):
    (tmp_path / "answers.csv").write_text(text)
    with pytest.raises(BadInput, match=told):
        scoring.read_truth(tmp_path / "answers.csv", "membership", FORM)
