"""What the audit asks where a clock runs: questions 8, 10, 15 and 16, and its own findings.

A clock needs no event to run out: attention from its beginning until its last day is over, a
breach from then on, until what was due is done; what was done too late stays a breach.
"""

from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

from domain.consent import ConsentGiven
from domain.consent_states import is_fresh, touches
from domain.ethics import ConditionDischarged, OpinionGiven
from domain.oversight import (
    FindingAnswered,
    FindingRaised,
    ReportFiled,
    ReportKind,
    Severity,
    StudyEndDeclared,
)
from domain.permissions import Permission
from domain.safety import AdverseEventReported, DeviationReported, UrgentSafetyMeasureTaken
from domain.vocabulary import Heard
from domain.withdrawal import (
    ConsentWithdrawn,
    Disposition,
    DispositionCompleted,
    DispositionPlanned,
)
from projections.audit_facts import (
    FOREVER,
    STUDY,
    Facts,
    Found,
    after,
    day_of,
    in_the_field,
    words_of,
)

BREACH, ATTENTION = Severity.BREACH, Severity.ATTENTION
STAYS = (
    Disposition.RETAIN_IDENTIFIABLE,
    Disposition.RETAIN_PSEUDONYMISED,
    Disposition.INFEASIBLE_PUBLISHED,
    Disposition.INFEASIBLE_ANONYMISED,
    Disposition.INFEASIBLE_GROUP_TRANSCRIPT,
)


def clock(
    question: int,
    code: str,
    what: str,
    subject: str,
    started: Heard,
    due: date,
    done: Heard | None,
    *,
    since: datetime | None = None,
    until: datetime = FOREVER,
) -> Iterable[Found]:
    """A clock that runs from `since` (when it started), by when it was met if it was."""
    since, over = since or started.occurred_at, after(due)
    met = done.occurred_at if done else until
    proof: tuple[int, ...] = (started.position,)

    def piece(severity: Severity, which: str, how: str, begin: datetime, end: datetime) -> Found:
        message = f"{what} is due by {words_of(due)}{how}."
        name = f"{code}_{which}"
        return Found(question, severity, name, message, subject, proof, begin, end, due)

    if since < (end := min(over, met)):
        yield piece(ATTENTION, "due", "", since, end)
    if (begin := max(since, over)) < met:
        yield piece(BREACH, "overdue", " and is overdue", begin, met)
    if done and done.occurred_at >= over:
        proof = tuple(sorted((started.position, done.position)))
        how = f", and came on {words_of(done.occurred_at)}"
        yield piece(BREACH, "late", how, max(since, met), FOREVER)


def of_safety(subject: str, facts: Facts, known: int) -> Iterable[Found]:
    """Question 15: harm, urgent measures and serious deviations, each with its report in time."""
    told = facts.told(subject, known)
    for heard in told:
        event = heard.event
        pack = facts.pack(heard.occurred_at, known)
        match event:
            case AdverseEventReported(serious=True, related=True, unexpected=True):
                kind, aware, days = (
                    ReportKind.ADVERSE_EVENT,
                    event.aware_at,
                    pack.serious_adverse_event,
                )
            case UrgentSafetyMeasureTaken():
                kind, aware, days = (
                    ReportKind.URGENT_SAFETY_MEASURE,
                    heard.occurred_at,
                    pack.urgent_safety_measure,
                )
            case DeviationReported(serious=True):
                kind, aware, days = ReportKind.DEVIATION, event.aware_at, pack.serious_deviation
            case _:
                continue
        due = day_of(aware) + timedelta(days=days)
        what = f"The report on {subject.replace(':', ' ').replace('_', ' ')}"
        code = f"{kind.value}_report"
        yield from clock(15, code, what, subject, heard, due, _report(told, kind))


def of_the_end(facts: Facts, known: int) -> Iterable[Found]:
    """Question 15: the study's end is declared in time, and its final report filed."""
    told = facts.told(STUDY, known)
    ended = _first(told, lambda event: isinstance(event, StudyEndDeclared))
    if ended is None or not isinstance(ended.event, StudyEndDeclared):
        return
    event, pack = ended.event, facts.pack(ended.occurred_at, known)
    days = pack.end_of_study_early if event.early else pack.end_of_study
    due = event.ended_on + timedelta(days=days)
    subject = f"opinion:{event.opinion}"
    if ended.occurred_at >= after(due):
        message = (
            f"The end of the study on {words_of(event.ended_on)} had to be declared by "
            f"{words_of(due)}, and was on {words_of(ended.occurred_at)}."
        )
        yield Found(
            15, BREACH, "study_end_declared_late", message, subject, (ended.position,),
            ended.occurred_at, FOREVER, due,
        )  # fmt: skip
    due = _months_after(event.ended_on, pack.final_report_months)
    done = _report(told, ReportKind.FINAL)
    yield from clock(15, "final_report", "The final report", subject, ended, due, done)


def of_progress(facts: Facts, known: int) -> Iterable[Found]:
    """Question 15: progress reports, where the policy pack asks for them, until the study ends."""
    first = next(iter(facts.opinions(known)), None)
    if first is None or not isinstance(first.event, OpinionGiven):
        return
    adopted = [heard.occurred_at for heard in facts.adoptions(known)]
    asked = (
        (at, months)
        for at in (first.occurred_at, *(at for at in adopted if at > first.occurred_at))
        if (months := facts.pack(at, known).progress_report_months)
    )
    since, months = next(asked, (FOREVER, 0))
    told = facts.told(STUDY, known)
    ended = _first(told, lambda event: isinstance(event, StudyEndDeclared))
    until, started = ended.occurred_at if ended else FOREVER, first
    reports = sorted((heard for heard in told if _is(heard, ReportKind.PROGRESS)), key=in_the_field)
    subject = f"opinion:{first.event.opinion}"
    for done in [*(each for each in reports if each.occurred_at > first.occurred_at), None]:
        if since >= until:
            return
        due = _months_after(day_of(started.occurred_at), months)
        what = "The progress report"
        yield from clock(
            15, "progress_report", what, subject, started, due, done, since=since, until=until
        )
        if done is not None:
            started, since = done, max(since, done.occurred_at)


def of_withdrawal(heard: Heard, facts: Facts, known: int) -> Iterable[Found]:
    """Question 8: a withdrawal and its scope, until it is reported to the committee."""
    event = heard.event
    if not isinstance(event, ConsentWithdrawn):
        return
    subject = f"participant:{event.participant}"
    reported = min(
        (
            report.occurred_at
            for report in facts.told(subject, known)
            if _is(report, ReportKind.WITHDRAWALS) and report.occurred_at >= heard.occurred_at
        ),
        default=FOREVER,
    )
    if heard.occurred_at < reported:
        scope = event.scope.value.replace("_", " ")
        yield Found(
            8,
            ATTENTION,
            "withdrawal_unreported",
            f"{event.participant} withdrew on {words_of(heard.occurred_at)} ({scope}); "
            "report it to the committee.",
            subject,
            (heard.position,),
            heard.occurred_at,
            reported,
        )


def of_item(
    participant: str, item: str, held: Sequence[Heard], facts: Facts, known: int
) -> Iterable[Found]:
    """Question 10: what becomes of something held of a participant who withdrew.

    What only a disposition names is owed none, but what was decided of it has to be done.
    """
    told = sorted(facts.told(f"participant:{participant}", known), key=in_the_field)
    steps = [heard for heard in told if _is_step(heard, item)]
    came = sorted((heard for heard in held if heard.position <= known), key=in_the_field)

    def dispositions(first: Heard, until: datetime, *, owed: bool) -> Iterable[Found]:
        withdrew = opening(first, told, owed=owed)
        if withdrew is None:
            return
        since = max(withdrew.occurred_at, first.occurred_at)
        base = {withdrew.position, *(heard.position for heard in came if owed)}
        what = f"{participant} withdrew on {words_of(withdrew.occurred_at)}; what becomes of {item}"

        def left_open(
            begin: datetime, end: datetime, last: date, code: str, says: str, *plan: int
        ) -> Iterable[Found]:
            over, end, proof = after(last), min(end, until), tuple(sorted({*base, *plan}))
            message = f"{what} {says} by {words_of(last)}."
            if begin < (in_time := min(over, end)):
                yield Found(10, ATTENTION, code, message, item, proof, begin, in_time, last)
            if (late := max(begin, over)) < end:
                yield Found(10, BREACH, f"{code}_overdue", message, item, proof, late, end, last)

        if owed:
            days = facts.pack(withdrew.occurred_at, known).disposition
            due = day_of(withdrew.occurred_at) + timedelta(days=days)
            end = steps[0].occurred_at if steps else FOREVER
            yield from left_open(since, end, due, "disposition_unplanned", "has to be decided")
        for step, later in zip(steps, [*steps[1:], None], strict=False):
            event, end = step.event, later.occurred_at if later else FOREVER
            if isinstance(event, DispositionPlanned) and event.disposition not in STAYS:
                begin, code = max(step.occurred_at, since), "disposition_incomplete"
                yield from left_open(begin, end, event.due, code, "has to be done", step.position)

    if came:
        yield from dispositions(came[0], FOREVER, owed=True)
    if steps:
        until = came[0].occurred_at if came else FOREVER
        yield from dispositions(steps[0], until, owed=False)


def opening(first: Heard, told: Sequence[Heard], *, owed: bool) -> Heard | None:
    """The withdrawal that asks what becomes of an item, as `projections.withdrawals` has it.

    The one in force when it came to be, of something that it needed; or else the first one since.
    `told`: what bears on the participant, in the field's order.
    """
    since = first.occurred_at
    needs = set(first.event.permissions_needed) if owed else set(Permission)
    in_force: dict[Permission, Heard] = {}
    for heard in told:
        event, at = heard.event, heard.occurred_at
        if isinstance(event, ConsentWithdrawn):
            if at >= since:
                return _last(in_force) or heard
            in_force |= dict.fromkeys(needs & {*touches(event)}, heard)
        elif isinstance(event, ConsentGiven) and owed and at <= since:
            for each in needs & {*event.permissions} & in_force.keys():
                taken_back = in_force[each].occurred_at
                if at > taken_back and is_fresh(event.signed_on, day_of(taken_back)):
                    del in_force[each]
    return _last(in_force)


def _last(in_force: dict[Permission, Heard]) -> Heard | None:
    return max(in_force.values(), key=in_the_field, default=None)


def _is_step(heard: Heard, item: str) -> bool:
    event = heard.event
    return isinstance(event, DispositionPlanned | DispositionCompleted) and event.item == item


def of_conditions(
    opinion: str, captures: Sequence[Heard], facts: Facts, known: int
) -> Iterable[Found]:
    """Question 16: the conditions of an opinion, while it is the latest, until discharged.

    `captures`: the first since it was given, and each that came to light and was earlier still.
    """
    first_capture = min(
        (heard for heard in captures if heard.position <= known), key=in_the_field, default=None
    )
    opinions = [h for h in facts.rulings(known) if isinstance(h.event, OpinionGiven)]
    for given, later in zip(opinions, [*opinions[1:], None], strict=False):
        event = given.event
        if not isinstance(event, OpinionGiven) or event.opinion != opinion:
            continue
        if not facts.favourable(given.occurred_at, known):
            continue
        replaced = later.occurred_at if later else FOREVER
        started = FOREVER
        if first_capture and facts.pack(given.occurred_at, known).conditions_before_start:
            started = first_capture.occurred_at
        for number in range(1, len(event.conditions) + 1):
            met = min((_discharged(opinion, number, facts, known), replaced))
            subject = f"opinion:{opinion}"
            proof: tuple[int, ...] = (given.position,)
            message = f"Condition {number} of {opinion} is not discharged"
            if given.occurred_at < (end := min(started, met)):
                yield Found(
                    16, ATTENTION, "condition_undischarged", f"{message}.", subject, proof,
                    given.occurred_at, end,
                )  # fmt: skip
            if first_capture and started < met:
                proof = tuple(sorted((given.position, first_capture.position)))
                message += f", and people took part from {words_of(started)} on."
                code = "started_before_condition"
                yield Found(16, BREACH, code, message, subject, proof, started, met)


def of_audit_finding(subject: str, facts: Facts, known: int) -> Iterable[Found]:
    """What an audit by the committee found, until it is answered."""
    told = facts.told(subject, known)
    answered = _first(told, lambda event: isinstance(event, FindingAnswered))
    until = answered.occurred_at if answered else FOREVER
    for heard in told:
        event = heard.event
        if isinstance(event, FindingRaised) and heard.occurred_at < until:
            yield Found(
                0,
                ATTENTION,
                "audit_finding_unanswered",
                f"Finding {event.audit_finding} of audit {event.audit} is to be answered.",
                subject,
                (heard.position,),
                heard.occurred_at,
                until,
                event.answer_by,
            )


def _discharged(opinion: str, number: int, facts: Facts, known: int) -> datetime:
    return min(
        (
            heard.occurred_at
            for heard in facts.told(STUDY, known)
            if isinstance(heard.event, ConditionDischarged)
            and (heard.event.opinion, heard.event.number) == (opinion, number)
        ),
        default=FOREVER,
    )


def _is(heard: Heard, kind: ReportKind) -> bool:
    return isinstance(heard.event, ReportFiled) and heard.event.kind is kind


def _report(told: Sequence[Heard], kind: ReportKind) -> Heard | None:
    return min((heard for heard in told if _is(heard, kind)), key=in_the_field, default=None)


def _first(told: Sequence[Heard], which: Callable[[object], bool]) -> Heard | None:
    return min((h for h in told if which(h.event)), key=in_the_field, default=None)


def _months_after(day: date, months: int) -> date:
    """The same day so many months later, or the last of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
