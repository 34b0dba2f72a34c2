"""The counts of a cleaning: pairs accepted and rejected by data set and reason, with the first examples of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from optical.data.bitext.screen import NOT_FAULTS, REASONS, excerpt
from optical.errors import DataError

_EXAMPLES = 3
_EXEMPT = "bitext.cleaning.exempt_collections"


@dataclass
class Tally:
    """Counts; accepted plus rejected are the physical pairs of each data set."""

    accepted: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, Counter[str]] = field(default_factory=dict)
    examples: dict[str, dict[str, list[dict]]] = field(default_factory=dict)
    """By data set and reason, the first three: ``position``, ``source``, ``target`` (each one short line) and
    ``detail``."""
    repaired: dict[str, Counter[str]] = field(default_factory=dict)
    """Accepted pairs by data set and kind of repair."""
    leaks: dict[str, Counter[str]] = field(default_factory=dict)
    """Contaminated pairs by data set and the test collection that they occur in."""

    def add(self, good: pa.Table, bad: pa.Table) -> None:
        """Count a block's accepted and rejected pairs (schema ``CHECKED``)."""
        for row in good.group_by("dataset").aggregate([([], "count_all")]).to_pylist():
            self.accepted[row["dataset"]] += row["count_all"]
        repaired = good.filter(pc.is_valid(good["repairs"]))
        for row in repaired.group_by(["dataset", "repairs"]).aggregate([([], "count_all")]).to_pylist():
            counts = self.repaired.setdefault(row["dataset"], Counter())
            counts.update(dict.fromkeys(row["repairs"].split("+"), row["count_all"]))
        for row in bad.group_by(["dataset", "reason"]).aggregate([([], "count_all")]).to_pylist():
            dataset, reason = row["dataset"], row["reason"]
            self.rejected.setdefault(dataset, Counter())[reason] += row["count_all"]
            shown = self.examples.setdefault(dataset, {}).setdefault(reason, [])
            if len(shown) < _EXAMPLES:
                same = bad.filter((pc.field("dataset") == dataset) & (pc.field("reason") == reason))
                shown += [_example(pair) for pair in same.slice(0, _EXAMPLES - len(shown)).to_pylist()]
        leaking = bad.filter(pc.is_valid(bad["detail"]))
        for row in leaking.group_by(["dataset", "detail"]).aggregate([([], "count_all")]).to_pylist():
            self.leaks.setdefault(row["dataset"], Counter())[row["detail"]] += row["count_all"]

    def counts(self) -> dict:
        """By data set ``accepted`` and ``rejected`` by reason; where there were any also ``repaired`` by kind of repair
        and ``leaks`` by test collection."""
        rejected = {
            name: {reason: counts[reason] for reason in REASONS if counts[reason]}
            for name, counts in self.rejected.items()
        }
        found = {"repaired": self.repaired, "leaks": self.leaks}
        more = {what: {name: dict(kinds) for name, kinds in counts.items()} for what, counts in found.items() if counts}
        return {"accepted": dict(self.accepted), "rejected": rejected} | more

    def check(self, max_reject_share: float) -> None:
        """Refuse data sets with too large a share of faulty pairs.

        Duplicates, leaks and identical sides are not faults (see ``NOT_FAULTS``).

        Raises:
            DataError: with a table of all reasons, or because nothing is left.
        """
        for dataset, reasons in self.rejected.items():
            physical = reasons.total() + self.accepted[dataset]
            faulty = sum(count for reason, count in reasons.items() if reason not in NOT_FAULTS)
            if faulty > max_reject_share * physical:
                what = f"{faulty} of {physical} pairs are faulty, and at most {max_reject_share:.1%} may be\n"
                main = reasons.most_common(1)[0][0]
                advice = "clean the data, or raise bitext.max_reject_share"
                if main == "utf8":
                    advice = "convert it to UTF-8 (`file` may name its encoding, iconv converts it)"
                raise DataError(dataset, what + self._table(dataset, physical), advice)

    def check_each(self, datasets: Sequence[str]) -> None:
        """Refuse to go on without a pair of each data set.

        Raises:
            DataError: one gives none; with a table of the reasons, and of the test collections that its pairs are in.
        """
        for dataset in datasets:
            if not self.accepted[dataset]:
                reasons = self.rejected.get(dataset)
                why = f"\n{self._table(dataset, reasons.total())}" if reasons else ": it holds none in these languages"
                advice = "check the file and its languages, or leave it out"
                if dataset in self.leaks:
                    advice = f"leave it out, or name in {_EXEMPT} a collection that this run is not tested on"
                raise DataError(dataset, f"no pair was accepted{why}", advice)

    def _table(self, dataset: str, physical: int) -> str:
        """Lines of reason, count, share, position of the first example and meaning."""
        lines = []
        for reason, count in self.rejected[dataset].most_common():
            first = self.examples[dataset][reason][0]["position"]
            lines.append(f"  {reason:<14} {count:>9,} {count / physical:>6.1%}  first at {first:<9} {REASONS[reason]}")
            if reason == "contaminated":
                lines += [
                    f"    in {name} {leaks:,}" for name, leaks in self.leaks.get(dataset, Counter()).most_common()
                ]
        return "\n".join(lines)


def _example(pair: dict) -> dict:
    sides = {side: excerpt(pair[side]) for side in ("source", "target")}
    return {"position": pair["position"], **sides, "detail": pair["detail"]}
