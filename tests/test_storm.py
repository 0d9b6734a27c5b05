"""No capture is ordered after a withdrawal it did not see, in a storm of them; none is lost."""

from tests.bench.storm import run
from tests.conftest import Database


def test_in_a_storm_of_withdrawals_every_capture_is_covered_and_stands_once(
    database: Database,
) -> None:
    """A small run of the benchmark: 8 processes and 10,000 captures there."""
    aftermath = run(database, number=4, captures=600)
    assert aftermath.captures >= 600
    assert aftermath.unseen == 0, "captures after a withdrawal that they did not see"
    assert aftermath.lost == aftermath.doubled == aftermath.unasked == aftermath.gaps == 0
    assert aftermath.withdrawals > 0
    assert aftermath.refusals.keys() & {"consent_withdrawn", "approval_suspended"}
