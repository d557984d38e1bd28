//! The phrases of other tools, and of people who have read one page: a table. `TIME`, `SHARE` and `UNIT` stand for what they
//! look like; what a phrase captures is what its own words take up by number.

use super::reckon;
use regex::Captures;

/// A phrase that is not ours, and what it may have been meant to be.
pub(super) struct Phrase {
    pub(super) theirs: &'static str,
    pub(super) ours: Ours,
    /// What to say; `{}` is what comes instead.
    pub(super) hint: &'static str,
}

/// What comes instead.
pub(super) enum Ours {
    /// One of these, most likely first.
    Words(&'static [&'static str]),
    /// One of these, and only who wrote it knows which.
    Either(&'static [&'static str]),
    /// All of these, each in a line of its own.
    Both(&'static [&'static str]),
    /// What must be reckoned.
    Made(fn(&Captures<'_>) -> Option<String>),
}

const fn words(theirs: &'static str, ours: &'static [&'static str]) -> Phrase {
    Phrase { theirs, ours: Ours::Words(ours), hint: "write `{}`" }
}

const fn told(theirs: &'static str, ours: &'static [&'static str], hint: &'static str) -> Phrase {
    Phrase { theirs, ours: Ours::Words(ours), hint }
}

const fn either(theirs: &'static str, ours: &'static [&'static str], hint: &'static str) -> Phrase {
    Phrase { theirs, ours: Ours::Either(ours), hint }
}

const fn made(theirs: &'static str, ours: fn(&Captures<'_>) -> Option<String>, hint: &'static str) -> Phrase {
    Phrase { theirs, ours: Ours::Made(ours), hint }
}

pub(super) const TIME: &str = r"(\d+(?:\.\d+)? ?(?:milliseconds?|ms|minutes?|min|seconds?|s)\b)";
pub(super) const SHARE: &str = r"\d+(?:\.\d+)?%";
pub(super) const UNIT: &str = r"(?:(?:shed|failed) )?(?:calls?|try|tries|retry|retries|users?|requests?)";

/// From what is most special on: each is tried by itself, then together with those that fit beside it.
pub(super) const PHRASES: &[Phrase] = &[
    // How long.
    told(
        r"^no (UNIT)\b(.*?) (?:(?:takes?|lasts?|needs?) (?:longer|more) than|(?:takes?|lasts?) over|exceeds?|(?:is|are) (?:slower|longer) than) TIME",
        &["every $1$2 finishes within $3"],
        "said the other way round: `{}`",
    ),
    told(
        r"\b(?:takes?|lasts?|needs?) (?:at most|up to|no (?:longer|more) than|not (?:longer|more) than|(?:less|shorter) than|under|below|within) TIME",
        &["finishes within $1"],
        "say `finish within`",
    ),
    told(
        r"\b(?:completes?|finish(?:es)?|responds?|returns?|ends?|(?:is|are) (?:answered|served|done|completed)) (?:within|in|(?:in )?(?:less than|under|at most)) TIME",
        &["finishes within $1"],
        "say `finish within`",
    ),
    told(r"\b(?:is|are) faster than TIME", &["finishes within $1"], "say `finish within`"),
    told(
        r"\b(?:(?:takes?|lasts?) (?:longer|more) than|takes? over|exceeds?|(?:is|are) slower than) TIME",
        &["takes at least $1"],
        "say `take at least`",
    ),
    told(
        r"^(?:the )?(?:p|percentile )(\d\d)(?:th)?(?: latency)?(?: (?:of|for) (?:the )?calls(.*?))?(?: latency)? (?:is|stays|remains)? ?(?:below|under|at most|less than|no more than|within) TIME$",
        &["at least $1% of the calls$2 finish within $3"],
        "say it as a share: `{}`",
    ),
    words(
        r"\bfor (?:less than|no more than|not more than|up to|no longer than|not longer than) TIME$",
        &["for at most $1"],
    ),
    words(r"\bfor (?:more than|no less than|not less than|longer than) TIME$", &["for at least $1"]),
    // How many.
    words(r"\b(?:no|not) (?:more|greater|higher) than\b", &["at most"]),
    words(r"\b(?:no|not) (?:fewer|less|lower) than\b", &["at least"]),
    made(r"\b(?:fewer than|less than|under|below) (\d+) (UNIT)\b", reckon::fewer, "of whole numbers: `{}`"),
    words(r"\b(?:fewer than|less than|under|below) (SHARE)", &["at most $1"]),
    made(r"\b(?:more than|over|above) (\d+) (UNIT)\b", reckon::more, "of whole numbers: `{}`"),
    words(r"\b(?:over|above) (SHARE)", &["more than $1"]),
    Phrase {
        theirs: r"\bbetween (\d+) and (\d+) (UNIT)\b",
        ours: Ours::Both(&["at least $1 $3", "at most $2 $3"]),
        hint: "a line for each end",
    },
    words(
        r"\b(?:max\.?|maximum|maximally|a maximum of|at maximum|at the most|up to) (\d)",
        &["at most $1", "up to $1"],
    ),
    words(r"\b(?:min\.?|minimum|a minimum of|at minimum|at the least) (\d)", &["at least $1"]),
    made(r"\b(one|two|three|four|five|six|seven|eight|nine|ten)\b", reckon::digits, "write it in digits: `{}`"),
    words(r"\bhalf (?:of )?the\b", &["50% of the"]),
    told(r"^some (?:of the )?(UNIT)\b", &["at least 1 $1"], "say `at least 1`"),
    told(r"^100% of (?:all )?(?:the )?(UNIT)\b", &["every $1"], "say it of each one: `every`"),
    told(r"^0%? (?:of )?(?:all )?(?:the )?(UNIT)\b", &["no $1"], "say it of each one: `no`"),
    told(r"\breceives 0 (?:calls|tries|requests)\b", &["receives no tries"], "write `{}`"),
    told(r"(SHARE) of (?:all )?(?:the )?(calls|tries|retries|users)\b", &["$1 of the $2"], "a share is `{}`"),
    told(r"(SHARE) of (?:all )?(?:the )?requests\b", &["$1 of the calls", "$1 of the tries"], "a share is `{}`"),
    told(r"(SHARE) (calls|tries|retries|users)\b", &["$1 of the $2"], "a share is `{}`"),
    told(r"(SHARE) (?:errors|failures)\b", &["$1 of the calls fail"], "say who fails: `{}`"),
    told(r"(\d+) (?:errors|failures)$", &["$1 calls fail"], "say who fails: `{}`"),
    told(r"^no (?:errors|failures)$", &["no call fails"], "say who fails: `{}`"),
    told(
        r"^(?:the )?success rate (?:is|stays|remains) (?:at least|above|over|more than|no less than|not less than) (SHARE)$",
        &["at least $1 of the calls succeed"],
        "say which share: `{}`",
    ),
    told(
        r"^(?:the )?(?:error|failure) rate (?:is|stays|remains) (?:at most|below|under|less than|no more than|not more than) (SHARE)$",
        &["at most $1 of the calls fail"],
        "say which share: `{}`",
    ),
    either(
        r"^(\d+) of (?:all )?(?:the )?(UNIT)\b",
        &["at least $1% of the $2", "at most $1% of the $2", "at least $1 $2", "at most $1 $2"],
        "say at least or at most, and whether a share is meant or a count",
    ),
    either(
        r"\b(\d+) of (?:all )?(?:the )?(UNIT)\b",
        &["$1% of the $2", "$1 $2"],
        "say whether a share is meant or a count",
    ),
    either(r"^(SHARE) of the\b", &["at least $0", "at most $0"], "say at least or at most"),
    either(r"^(\d+) (UNIT)\b", &["at least $0", "at most $0", "exactly $0"], "say at least, at most or exactly"),
    either(
        r"\breceives (\d+) (UNIT)\b",
        &["receives at least $1 tries", "receives at most $1 tries", "receives exactly $1 tries"],
        "say at least, at most or exactly",
    ),
    either(r"^(?:the )?(calls|tries|users|requests)\b", &["every $1", "at least 1 $1"], "say how many of them"),
    words(
        r"\b(?:all|each|any) (?:of )?(?:the )?(?:instances?|replicas?|pods?|endpoints?|hosts?) of\b",
        &["every instance of"],
    ),
    told(r"\ball (?:of )?(?:the )?(calls|tries|users|requests)\b", &["every $1"], "say it of each one: `every`"),
    told(
        r"\b(?:none of (?:the )?|not a single |not one )(calls?|tries|try|users?|requests?)\b",
        &["no $1"],
        "say it of each one: `no`",
    ),
    // What never happens.
    told(
        r"^(?:every |each |all |all the |the )?(UNIT)\b(.*?) (is|are) (?:never|not)\b",
        &["no $1$2 $3"],
        "what never happens, `no` call does",
    ),
    told(
        r"^(?:every |each |all |all the |the )?(UNIT)\b(.*?) (?:never|do not|does not|don.t|doesn.t|must not|should not|may not|will not|cannot)\b",
        &["no $1$2"],
        "what never happens, `no` call does",
    ),
    words(r"\b(?:is not|isn.t) (ejected|healthy|unhealthy)\b", &["is never $1"]),
    words(
        r"\b(?:(?:gets|receives|sees|has) no|(?:does not|doesn.t|never) (?:gets?|receives?|sees?)(?: any)?) (?:traffic|calls|requests|tries)\b",
        &["receives no tries"],
    ),
    words(r"\b(?:is not|is never|isn.t) (?:called|tried|reached)\b", &["receives no tries"]),
    // When.
    made(r"\bat TIME for TIME$", reckon::until, "say from when to when: `{}`"),
    made(r"\bfor TIME (?:from|at|after) TIME$", reckon::from_until, "say from when to when: `{}`"),
    words(r"\bbetween TIME and TIME$", &["from $1 to $2"]),
    words(r"\bafter TIME$", &["at $1"]),
    words(r"\bdelayed for TIME", &["delayed by $1"]),
    words(r"\b(?:during|over) TIME", &["for $1"]),
    told(
        r"\b(ejected|healthy|unhealthy) for TIME$",
        &["$1 for at least $2", "$1 for at most $2"],
        "at least, or between two times: `{}`",
    ),
    made(" for TIME$", reckon::from_one_second, "a start must be given, for instance `{}`"),
    made(
        r"\b(while|whilst|as long as|when) .*$",
        reckon::during,
        "a part of the time is before, during or after the fault: `{}`",
    ),
    told(
        r#"\b(before|after) (?:an? |the |every )?(?:instance|version|wires?|zone|site|process|proxy|control plane|")[^,]* .*$"#,
        &["$1 the fault"],
        "a part of the time is before, during or after the fault: `{}`",
    ),
    words(
        r"\bduring (?:the|an|a) (?:outage|failure|crash|kill|pause|cut|partition|incident|chaos)\b",
        &["during the fault"],
    ),
    words(r#"^("[^"]*") recovers? (?:within|in) TIME$"#, &["calls to $1 recover within $2 of the end of the fault"]),
    words(
        r"^(?:every |each |all |the )?calls?\b(.*?) recovers? (?:within|in) TIME$",
        &["calls$1 recover within $2 of the end of the fault"],
    ),
    words(
        r"^(?:every |each |all |the )?calls?\b(.*?) recovers? (?:within|in) TIME of\b",
        &["calls$1 recover within $2 of"],
    ),
    either(
        r"\b(gets traffic(?: again)?|is (?:ejected|healthy|unhealthy)) (?:within|in) TIME$",
        &["$1 within $2 of the fault", "$1 within $2 of the end of the fault"],
        "say of what moment",
    ),
    // Who times out.
    told(
        r#"^("[^"]*") (?:times? out|timeouts?|has a timeout|have a timeout)(?: after| in| of)?\b"#,
        &["calls to $1 time out after"],
        "calls time out, services do not: `{}`",
    ),
    told(
        r#"^(?:the|a) timeout (?:of|for) (calls|tries)(.*?) (?:is|of)\b"#,
        &["$1$2 time out after"],
        "write it so: `{}`",
    ),
    words(
        r"\b(?:times? out|timeouts?|timed out)(?: after| in| of| within)?\b",
        &["time out after", "times out", "time out"],
    ),
    // What is answered.
    words(
        r"\b(?:returns?|responds? with|repl(?:y|ies) with|answers?(?: with)?|gives?|sends? back|fails? with)(?: an?)?(?: https?)?(?: status| code| error)* (\d{3})\b",
        &["answers with status $1", "is answered with status $1", "are aborted with status $1"],
    ),
    words(r"\bwith (\d{3})\b", &["with status $1"]),
    words(r#"\bwith (?:status )?"?([A-Z][A-Z_]+)"?"#, &["with grpc status \"$1\""]),
    words(r"\b(?:answers?|responds?|repl(?:y|ies)) (?:within|after|in) TIME", &["answers in $1"]),
    words(r"\bin TIME", &["within $1"]),
    words(r"\bwithin TIME", &["in $1"]),
    // What breaks.
    words(r"\b(?:is|are) (?:slow|slowed|delayed) by\b", &["is slowed by", "answers in"]),
    told(r"\bis slow\b", &["answers in 1 s", "is slowed by 100 ms"], "say how slow: `{}`"),
    told(r"\bare slow\b", &["are delayed by 100 ms", "are slowed by 100 ms"], "say how slow: `{}`"),
    told(r"\bfail$", &["are aborted with status 503"], "say with what: `{}`"),
    words(
        r"\b(?:is (?:resumed|started|up again|back|thawed)|resumes|restarts|recovers)\b",
        &["comes back", "is restarted"],
    ),
    told(r"\b(?:goes down|is down|fails|is crashed)\b", &["is killed"], "say how: `{}`, `is stopped`, `is paused`"),
    words(r"\b(?:hangs|freezes|is frozen|is suspended)\b", &["is paused"]),
    words(r"\bis (?:partitioned|isolated|unreachable|cut)\b", &["is cut off", "is cut"]),
    words(r"\bis (?:blocked|disconnected|broken|severed)\b", &["is cut"]),
    either(r"\b(?:scales|resizes|is scaled) to\b", &["grows to", "shrinks to"], "say which way"),
    words(r", (?:after|with|plus or minus) TIME", &[", give or take $1"]),
    // Units, traffic and places.
    words(r"\b(\d+(?:\.\d+)?) ?secs?\b\.?", &["$1 s"]),
    words(r"\b(\d+(?:\.\d+)?) ?(?:msecs?|millis)\b", &["$1 ms"]),
    words(r"\b(\d+) ?mins\b", &["$1 min"]),
    words(r"\b(\d+(?:\.\d+)?) ?(?:percent|per cent|pct)\b", &["$1%"]),
    words(
        r"\b(\d+) ?(?:rps|qps|(?:req|reqs|requests?|calls?)(?:/s|/sec| a second| each second| every second| per sec))\b",
        &["$1 calls per second"],
    ),
    words(r"\bper call\b", &["for each call"]),
    words(r#"^("[^"]*") calls ("[^"]*")(.*?) (\d+) times$"#, &["$1 makes $4 calls to $2$3"]),
    words(r"\b(?:just one|a single|one|the same) (version|instance)\b", &["only one $1"]),
    told(r"\bover (zone|site)\b", &["then $1"], "places in order: `{}`"),
];
