"""A made-up study told in a file of commands, every kind of command at least once.

Recorded by several people, late and in the field, through several channels: what an export has to
keep.
"""

from typing import Any

from tests.files import line

PERMISSIONS = [
    "workshop", "interview", "focus_group", "observation", "audio", "photo",
    "machine_transcription", "quote_anonymous", "credit_by_name", "receive_findings", "archive",
]  # fmt: skip
DIGEST, FORM, SHEET = "5f" * 32, "f0" * 32, "50" * 32


def told() -> list[str]:
    """The study's lines, in the order of its record."""
    lines: list[str] = []

    def on(
        day: str, command: str, actor: str = "ana", clock: str = "10:00:00+00:00", /, **input: Any
    ) -> None:
        lines.append(line(command, f"2026-{day}T{clock}", actor, **input))

    # fmt: off
    on("01-05", "openStudy", title="Maize and water", question="What keeps us well?",
       setting="Three villages", madeUp=True)
    on("01-05", "joinMember", member="bo", role="researcher", name="Bo Example",
       approvedPersonnel=True)
    on("01-05", "joinMember", member="cy", role="facilitator")
    on("01-05", "joinMember", member="eva", role="ethics_reviewer")
    on("01-05", "joinMember", member="sol", role="data_steward")
    on("01-05", "adoptPolicy", pack="uk-hra-2026")
    activities = ["recruitment", "workshop", "interview", "focus_group", "observation", "recording"]
    documents = [{"kind": "consent_form", "version": "2", "sha256": FORM, "language": "en"},
                 {"kind": "information_sheet", "version": "3", "sha256": SHEET}]
    on("01-05", "submitApplication", "bo", application="app-1", committee="University REC",
       documents=documents, activities=activities, personnel=["ana", "bo", "cy"],
       sites=["hall", "well"], maxParticipants=40, note="Sent by post.")
    on("01-06", "giveOpinion", "eva", opinion="rec-1", committee="University REC",
       maxParticipants=40, application="app-1", personnel=["ana", "bo", "cy"],
       sites=["hall", "well"], documents=documents, recognisedForMca=True, activities=activities,
       outcome="favourable_with_conditions", validFrom="2026-01-01", validTo="2026-12-31",
       conditions=["Tell us of the second site."], note="By chair's action.")
    on("01-07", "dischargeCondition", "eva", opinion="rec-1", number=1, note="It is the well.",
       document={"kind": "other", "version": "1", "sha256": DIGEST})
    for n in (1, 2, 3):
        on("01-08", "enrolParticipant", "bo", participant=f"p-{n}", group="AB"[n % 2],
           constituency="women", name=f"Person {n}", contact=f"0151 496 000{n}")
        on("01-08", "requestConsent", "bo", "11:00:00+00:00", participant=f"p-{n}",
           permissions=PERMISSIONS, formVersion="2", formSha256=FORM, note="At the well.",
           informationSheetVersion="3", informationSheetSha256=SHEET, language="en",
           documentFormat="audio")
        on("01-09", "grantConsent", "bo", "11:30:00+02:00", participant=f"p-{n}", formVersion="2",
           formSha256=FORM, informationSheetSha256=SHEET, language="en", documentFormat="audio",
           permissions=PERMISSIONS, informationSheetVersion="3", method="verbal_witnessed",
           signedOn="2026-01-09", datedBy="participant", takenBy="bo", minutesToRead=1440,
           validUntil="2026-12-01", withdrawBy="2026-11-01", witness="Wit Ness", interpreted=True,
           interpreter="Inter Preter", lawfulBasis="public_task", specialCategoryBasis="research",
           capacityNote="Asked to say it back.", note="Read aloud.")
        on("01-09", "issueReceipt", "bo", "12:00:00+02:00", participant=f"p-{n}",
           consent=len(lines), receiptSha256=DIGEST, withdrawalCodeSha256=f"{n:064x}",
           language="en")
    on("01-09", "joinMember", member="pat", role="participant", participant="p-1")
    on("01-10", "declineConsent", "bo", participant="p-2", permissions=["video"], formVersion="2",
       note="Shy of cameras.")
    on("01-10", "grantConsent", "bo", participant="p-2", permissions=["reuse"], formVersion="2",
       validUntil="2026-02-28", capacity="lacks_capacity", consultedAs="personal_consultee",
       consultee="Con Sultee", assent=True)
    on("01-11", "engageStakeholder", stakeholder="hub", kind="social_enterprise", title="The Hub",
       interest="Room hire", contactName="Hu Bert", contact="hub@example.org", note="Open to it.")
    on("01-12", "agreeGroundRules", rules=["One speaks at a time."], participants=["p-1", "p-2"],
       groups=["A"], note="After a long talk.")
    on("01-13", "stateConcern", "pat", concern="c-dry", title="The wells run dry",
       participants=["p-1"], words="We walk an hour.")
    on("01-14", "mapAsset", asset="a-hall", kind="places", title="The hall", offeredBy=["p-2"],
       stakeholder="hub", groups=["B"], description="Warm, with a kitchen.")
    on("01-15", "openCycle", cycle="c0", title="Before", question="What was tried before?")
    on("01-16", "openCycle", cycle="c1", title="First", question="What matters here?",
       parents=[{"cycle": "c0", "edge": "carries_question"}])
    on("01-17", "ratePower", "pat", cycle="c1", scale="iap2", level="collaborate",
       raterRole="participant", participant="p-1", comment="More than last time.")
    on("02-01", "proposePriority", "pat", priority="water", cycle="c1", title="Clean water",
       proposedBy=["p-1"], concerns=["c-dry"], description="For the school first.")
    on("02-01", "proposePriority", priority="wells", cycle="c1", title="More wells")
    on("02-01", "proposePriority", priority="road", cycle="c1", title="A better road")
    on("02-02", "mergePriorities", priority="water", cycle="c1", merged=["wells"], note="Same.")
    on("02-03", "openBallot", ballot="b-1", cycle="c1", title="What first?", method="cumulative",
       options=[{"option": "1", "title": "Clean water", "priority": "water"},
                {"option": "2", "title": "A better road", "priority": "road"}],
       rules={"maxPoints": 5, "maxPointsPerOption": 4, "maxChoices": 2}, constituencies=["sex"])
    on("02-04", "castBallot", "pat", ballot="b-1", voter="p-1",
       choices=[{"option": "1", "points": 4}, {"option": "2", "points": 1}],
       constituencies=[{"kind": "sex", "value": "women"}])
    on("02-04", "castBallot", "cy", channel="field_form", ballot="b-1", voter="p-2", onPaper=True,
       choices=[{"option": "2", "points": 2}])
    on("02-05", "closeBallot", ballot="b-1")
    on("02-05", "declareResult", ballot="b-1", causedBy=len(lines))
    on("02-05", "recordDissent", cycle="c1", words="The road is first for us.", ballot="b-1",
       participants=["p-3"], priority="water")
    on("02-06", "adoptPriority", priority="water", cycle="c1", ballot="b-1")
    on("02-06", "adoptPriority", priority="road", cycle="c1", ballot="b-1",
       overrideReason="Without it no well can be dug.")
    on("02-07", "planAction", action="well", cycle="c1", title="Dig a well", priority="water",
       owner={"participant": "p-2"}, assets=["a-hall"], due="2026-03-31", note="If the rain lets.",
       ifThenBecause="If we dig, then children go to school, because nobody has to walk.",
       indicators=[{"indicator": "walk", "title": "Minutes walked", "unit": "min",
                    "baseline": 60.5, "target": 10}])
    on("02-07", "planAction", action="grader", cycle="c1", title="Borrow a grader",
       owner={"stakeholder": "hub"})
    on("02-08", "ratifyPlan", cycle="c1", actions=["well", "grader"], how="consent",
       participants=["p-1", "p-2"], groups=["A"], ballot="b-1", note="Nobody objected.")
    on("02-10", "holdWorkshop", "cy", "18:00:00-05:00", workshop="w-1", cycle="c1", week=1,
       participants=["p-1", "p-2", "p-3"], groups=["A", "B"], facilitators=["cy", "bo"],
       topic="Water", focus="causes", site="hall", technique="problem tree", phase="plan",
       onBehalfOf="bo", reason="Typed in late: no signal in the hall.", channel="field_form",
       payments=[{"participant": "p-1", "amount": 1250, "currency": "GBP"}],
       smallGroups="p-1 scribe", adjustments="Ramp.", notes="They spoke of the dry months.")
    on("02-12", "startAction", action="well", note="At dawn.")
    on("02-13", "blockAction", action="well", barrier="Rock", needs="A drill", why="Granite.")
    on("02-14", "startAction", action="well", causedBy=len(lines))
    on("02-15", "reachMilestone", action="well", milestone="Ten metres", note="Dry so far.")
    on("02-16", "payExpense", action="well", amount=25000, currency="GBP", purpose="Drill hire",
       note="Paid in cash.")
    on("03-20", "implementAction", action="well", whatWasDone="Thirty metres, and water.",
       participants=["p-2"], groups=["A"], stakeholders=["hub"])
    on("03-21", "abandonAction", action="grader", because="It was sold", why="Without a word.")
    on("03-22", "holdInterview", "bo", session="s-1", cycle="c1", participants=["p-1"],
       minutes=55, place="home", interviewers=["bo"], topic="A day", site="well",
       adjustments="Interpreter.", notes="She laughed.",
       payments=[{"participant": "p-1", "amount": 1000, "currency": "GBP"}])
    on("03-23", "holdFocusGroup", "bo", session="s-2", cycle="c1", participants=["p-1", "p-2"],
       minutes=90, place="community_venue", moderators=["bo"], groups=["A"], topic="Roads",
       site="hall")
    on("03-24", "makeObservation", "bo", session="s-3", cycle="c1", minutes=30,
       place="public_space", participants=["p-3"], peoplePresent=12, observers=["bo"],
       site="well", notes="A queue at the well.")
    on("03-25", "captureMedia", "bo", media="m-1", cycle="c1", kind="audio", sha256=DIGEST,
       participants=["p-1"], session="s-1", seconds=3300, fileName="person1.wav")
    on("03-26", "makeTranscript", "bo", transcript="t-1", media="m-1", kind="audio",
       participants=["p-1"], madeBy="machine", sha256=DIGEST, language="en-GB", words=8000,
       pseudonymised=True, fileName="person1.txt")
    on("03-27", "sendMemberCheck", "bo", transcript="t-1", participant="p-1",
       answerBy="2026-04-10", note="By post.")
    on("04-01", "returnMemberCheck", "pat", transcript="t-1", participant="p-1",
       result="changes_asked", comments="Not an hour: half.")
    on("04-02", "measureIndicator", indicator="walk", cycle="c1", value=12.25, unit="min",
       action="well", group="A", method="Stopwatch.")
    on("04-03", "harvestOutcome", outcome="o-1", cycle="c1", title="Children at school",
       whoChanged="Parents of A", what="They send them now.", intended=True,
       changeIn="behaviour", participants=["p-1"], stakeholders=["hub"], actions=["well"],
       significance="Large.", contribution="The well.", substantiatedBy="The teacher.")
    on("04-04", "collectStory", story="st-1", cycle="c1", title="Mornings", participants=["p-1"],
       text="I sleep until six.", domainOfChange="Time", actions=["well"])
    on("04-05", "linkRipple", cycle="c1", fromAction="well", toOutcome="o-1", how="Time saved.")
    on("04-06", "reportHarm", harm="h-1", what="A fall at the well.", severity="minor",
       participants=["p-3"], groups=["B"], cycle="c1", action="well", told="The nurse, same day.")
    on("04-07", "selectStory", story="st-1", cycle="c1", why="It is all of ours.",
       selectedBy="Steering group", domainOfChange="Time")
    on("04-08", "recordReflection", "pat", reflection="r-1", cycle="c1", voice="participants",
       what="We dug.", soWhat="We can.", nowWhat="The road.", title="We can",
       participants=["p-1"], workshop="w-1", turningPoint=True, actionsChanged=["well"],
       prioritiesChanged=["road"])
    on("04-09", "assessAssumption", cycle="c1", assumption="Rain comes in March", action="well",
       verdict="did_not_hold", evidence="It came in April.")
    on("04-10", "draftFinding", finding="f-1", cycle="c1", title="Time is health",
       text="Who walks less is well.", workshops=["w-1"], sessions=["s-1"], transcripts=["t-1"],
       stories=["st-1"], outcomes=["o-1"], indicators=["walk"], reflections=["r-1"])
    on("04-11", "validateFinding", finding="f-1", participants=["p-1"], groups=["A"],
       workshop="w-1", comments="Yes.")
    on("04-12", "contestFinding", finding="f-1", why="Not for the old.", participants=["p-3"])
    on("04-13", "shareFindings", findings=["f-1"], audience="policy_makers", outlet="meeting",
       format="policy_brief", title="Time is health", accessibleAs=["easy_read"],
       link="https://example.org/brief", peopleReached=12, cycle="c1")
    on("04-14", "releaseQuotation", quotation="q-1", participant="p-1", where="The brief",
       permission="quote_anonymous", words="I sleep until six.", story="st-1", finding="f-1")
    on("04-15", "agreeAuthorship", work="The brief", findings=["f-1"], note="By lot.",
       authors=[{"member": "bo", "roles": ["investigation"]},
                {"participant": "p-1", "roles": ["validation", "resources"]}])
    on("04-16", "feedBackToParticipants", what="The brief, read aloud", format="conversation",
       participants=["p-1"], groups=["A"], findings=["f-1"], response="Good.")
    on("04-17", "depositArchive", repository="UK Data Service", what="Transcripts",
       access="safeguarded", identifier="10.5255/made-up", participants=["p-1"],
       findings=["f-1"], cycle="c1")
    on("04-18", "openCycle", cycle="c2", title="Second", question="And the road?",
       parents=[{"cycle": "c1", "edge": "continues_action"}])
    on("04-19", "carryLearning", cycle="c1", learning="Dig before the rain", carrying="keep",
       toCycle="c2", why="It worked.")
    on("04-20", "closeCycle", cycle="c1", summary="A good turn.")
    on("04-21", "withdrawConsent", "pat", participant="p-1", permissions=["audio", "archive"],
       scope="no_further_use", words="Not my voice.")
    on("04-21", "planDisposition", "bo", participant="p-1", item="media:m-1", disposition="erase",
       due="2026-05-21", why="It is her voice.")
    on("04-21", "completeDisposition", "bo", participant="p-1", item="media:m-1", proof="The log.",
       proofSha256=DIGEST)
    on("04-21", "requestErasure", "pat", participant="p-1", ground="consent_withdrawn",
       words="All of it.")
    on("04-21", "expireConsent", "bo", participant="p-2", permissions=["reuse"])
    on("04-21", "suspendConsent", "bo", participant="p-2", why="In hospital.")
    on("04-22", "resumeConsent", "bo", participant="p-2", affirmedBy="personal_consultee",
       consultee="Con Sultee", why="Home again.")
    on("04-22", "invalidateConsent", "bo", participant="p-3", permissions=["photo"],
       because="not_informed", why="The sheet had no word of photos.")
    on("04-22", "submitModification", "bo", modification="mod-1", opinion="rec-1",
       kind="substantial", documents=[{"kind": "consent_form", "version": "3"}], note="Video.")
    on("04-22", "decideModification", "eva", modification="mod-1", opinion="rec-1",
       kind="substantial", outcome="favourable", activities=["recording"], personnel=["di"],
       sites=["school"], documents=[{"kind": "consent_form", "version": "3"}],
       maxParticipants=50, validTo="2027-03-31", reconsent=["observation"], note="Well argued.")
    on("04-22", "requireReconsent", "bo", participant="p-3", permissions=["interview"],
       because="modification", modification="mod-1", why="She is asked first.")
    on("04-22", "suspendApproval", "eva", opinion="rec-1", why="A complaint.")
    on("04-22", "receiveComplaint", "pat", complaint="co-1", participants=["p-1"],
       what="Nobody called back.")
    on("04-22", "reinstateApproval", "eva", opinion="rec-1", why="Looked into.")
    on("04-22", "reportAdverseEvent", "cy", adverseEvent="ae-1", serious=True, related=True,
       unexpected=True, awareAt="2026-04-22T11:00:00+00:00", participants=["p-3"], what="A fall.")
    on("04-22", "takeUrgentSafetyMeasure", "cy", measure="usm-1", participants=["p-3"],
       what="The well is fenced.")
    on("04-22", "reportDeviation", "cy", deviation="d-1", kind="without_consent", serious=True,
       awareAt="2026-04-22T12:00:00+00:00", participants=["p-3"], permissions=["photo"],
       activity="recording", cycle="c2", what="A photo of the fence.", remedy="Deleted.")
    on("04-22", "raiseSafeguarding", "cy", safeguarding="sg-1", participants=["p-3"],
       referredTo="Social care", what="A worry.")
    on("04-23", "fileReport", report="rep-1", kind="adverse_event", sha256=DIGEST, note="By post.",
       about=["adverse_event:ae-1", "deviation:d-1"])
    on("04-23", "fileReport", report="rep-2", kind="withdrawals", about=["participant:p-1"])
    on("04-23", "openAudit", "eva", audit="au-1", committee="University REC", note="Routine.")
    on("04-23", "raiseFinding", "eva", audit="au-1", auditFinding="af-1", severity="attention",
       question=4, positions=[len(lines)], answerBy="2026-05-23", what="A form is not dated.")
    on("04-23", "answerFinding", auditFinding="af-1", accepted=True, answer="Dated now.")
    on("04-23", "declareStudyEnd", opinion="rec-1", endedOn="2026-04-23", early=True,
       why="The rains came.")
    at = next(n for n, each in enumerate(lines, 1) if '"holdWorkshop"' in each)
    on("04-22", "correct", "bo", corrects=at, eventType="WorkshopHeld", subject="workshop:w-1",
       why="The list was of the week before.",
       standing={"technique": "problem tree, walk", "smallGroups": "p-2 scribe", "week": 2})
    on("04-23", "leaveMember", member="cy")
    on("04-24", "eraseSubject", "sol", participant="p-2", ground="consent_withdrawn")
    # fmt: on
    return lines
