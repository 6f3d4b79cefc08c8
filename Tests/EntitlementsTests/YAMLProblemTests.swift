import MeteringPorts
import Testing

/// What people get wrong, and where they are told so.
@Suite struct YAMLProblemTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var yaml: String
        var line: Int
        var column: Int
        var part: String
        init(_ yaml: String, _ line: Int, _ column: Int, _ part: String) {
            self.yaml = yaml
            self.line = line
            self.column = column
            self.part = part
        }
        var testDescription: String { part }
    }

    /// A right beginning of three lines; what follows is the case.
    static let head = """
        meters: [{key: t, event_type: x, aggregation: sum, value: $.t, scale: 1}, {key: n, event_type: x, aggregation: count}, {key: low, event_type: x, aggregation: min, value: $.t}]
        features: [{key: tokens, type: metered, meter: t}, {key: calls, type: metered, meter: n, counting: admission}, {key: low, type: metered, meter: low}, {key: sso, type: boolean}, {key: region, type: static}]
        plans: [{key: pro, entitlements: {sso: true}}]

        """

    static func plan(_ entitlements: String) -> String {
        head.replacing("plans: [{key: pro, entitlements: {sso: true}}]\n", with: "")
            + "plans:\n- key: pro\n  entitlements:\n    " + entitlements
    }

    static let form: [Case] = [
        Case("", 1, 1, "the document is empty"),
        Case("# nothing", 1, 1, "the document is empty"),
        Case("meters", 1, 1, "expected a mapping for a catalog, found \"meters\""),
        Case("- 1", 1, 1, "expected a mapping for a catalog, found a list"),
        Case("meters: []\n---\nplans: []", 2, 1, "not valid YAML: but found another document"),
        Case("meters: [\n", 2, 1, "not valid YAML"),
        Case("a: b: c", 1, 5, "not valid YAML: mapping values are not allowed"),
        Case("meters:\n\t- 1", 2, 1, "not valid YAML: found character"),
        Case("meters: []\nplans: \"\u{1}\"", 2, 9, "not valid YAML: control characters"),
        Case("meters: *m", 1, 9, "undefined alias"),
        Case("meters: []\nplans: []\nmeters: []", 1, 1, "key \"meters\" is there twice"),
        Case("metres: []", 1, 1, "has no \"metres\"; did you mean \"meters\"?"),
        Case("x: []", 1, 1, "it has products, meters, features"),
        Case("[a]: b", 1, 1, "expected a name, found a list"),
        Case("meters: 5", 1, 9, "expected a list of meters, found \"5\""),
        Case("meters: {a: b}", 1, 9, "expected a list of meters, found a mapping"),
        Case("meters:\n- tokens", 2, 3, "expected a mapping for a meter, found \"tokens\""),
        Case("meters:\n- {key: a, event_type: x}", 2, 3, "a meter needs \"aggregation\""),
        Case("meters:\n- {key: , event_type: x, aggregation: count}", 2, 9, "key is empty"),
        Case("meters:\n- {key: [a], event_type: x, aggregation: count}", 2, 9, "found a list"),
        Case(
            "meters:\n- {key: a, event_type: x, agregation: count}", 2, 27,
            "did you mean \"aggregation\"?"),
        Case(
            "meters:\n- {key: a, event_type: x, aggregation: total}", 2, 40,
            "aggregation is one of count, sum, max"),
        Case(
            "meters:\n- {key: a, event_type: x, aggregation: sum, value: total}", 2, 52,
            "did you mean $.total?"),
        Case(
            "meters:\n- {key: a, event_type: x, aggregation: sum, value: \"$.a[0]\"}", 2, 52,
            "\"$.a[0]\" is not a path like $.a.b"),
        Case(
            "meters:\n- key: a\n  event_type: x\n  aggregation: sum\n  value: $.a\n  scale: two",
            6, 10, "expected a whole number for scale, found \"two\""),
        Case(
            "meters:\n- {key: a, event_type: x, aggregation: count, allow_negative: yes}", 2, 63,
            "expected true or false for allow_negative, found \"yes\""),
        Case(
            "meters:\n- {key: a, event_type: x, aggregation: count, filters: {\"$.a[1]\": b}}", 2,
            57,
            "not a path"),
        Case(
            "features:\n- {key: a, type: bool}", 2, 18,
            "type is one of boolean, static, metered, seat"),
        Case("features:\n- {key: a, type: metered, counting: gate}", 2, 37, "events, admission"),
        Case(plan("sso: yes"), 6, 10, "\"sso\", a boolean feature, found \"yes\""),
        Case(plan("sso: \"true\""), 6, 10, "expected true or false"),
        Case(plan("region: [eu]"), 6, 13, "expected text for \"region\", a static feature"),
        Case(plan("tokens: 1000"), 6, 13, "expected a mapping for \"tokens\", a metered feature"),
        Case(plan("tokens: {period: month}"), 6, 13, "needs \"limit\""),
        Case(plan("tokens: {limit: 5}"), 6, 13, "needs \"period\""),
        Case(plan("tokens: {limit: -1, period: day}"), 6, 21, "write limit: unlimited"),
        Case(plan("tokens: {limit: -2, period: day}"), 6, 21, "must not be negative"),
        Case(plan("tokens: {limit: many, period: day}"), 6, 21, "expected a number for limit"),
        Case(plan("tokens: {limit: 1__0, period: day}"), 6, 21, "expected a number"),
        Case(plan("tokens: {limit: 010, period: day}"), 6, 21, "expected a number"),
        Case(plan("tokens: {limit: 0x10, period: day}"), 6, 21, "expected a number"),
        Case(plan("tokens: {limit: 1.25, period: day}"), 6, 21, "more decimal places than"),
        Case(plan("calls: {limit: 1.5, period: day}"), 6, 20, "counts whole units"),
        Case(plan("tokens: {limit: 1e19, period: day}"), 6, 21, "too large"),
        Case(plan("tokens: {limit: , period: day}"), 6, 21, "limit is empty"),
        Case(plan("tokens: {limit: 5, period: fortnight}"), 6, 32, "period is one of hour, day"),
        Case(plan("tokens: {limit: 5, perid: day}"), 6, 24, "did you mean \"period\"?"),
        Case(
            plan("tokens: {limit: 5, period: day, thresholds: 80%}"), 6, 49,
            "expected a list of thresholds"),
        Case(
            plan("tokens: {limit: 5, period: day, thresholds: [80.555%]}"), 6, 50,
            "not a percentage"),
        Case(
            plan("tokens: {limit: 5, period: day, thresholds: [most]}"), 6, 50,
            "expected a number for a threshold"),
        Case(
            plan("tokens: {limit: 5, period: day, on_outage: shut}"), 6, 48,
            "on_outage is closed, open"),
        Case(
            plan("tokens: {limit: 5, period: day, on_outage: {last_known: 30}}"), 6, 61, "e.g. 30s"),
        Case(
            plan("tokens: {limit: 5, period: day, on_outage: {last: 30s}}"), 6, 49,
            "has no \"last\""),
        Case(
            plan("tokens: {limit: 5, period: day, durability: slow}"), 6, 49, "logged, fast"),
        Case(head + "customers:\n- {subjects: [a]}", 5, 3, "a customer needs \"id\""),
        Case(head + "customers:\n- {id: a, subjects: [[b]]}", 5, 22, "found a list"),
        Case(
            head + "customers:\n- {id: a, subjects: [{id: b, env: test}]}", 5, 30,
            "a subject has no \"env\"; it has id, environment"),
        Case(
            head + "customers:\n- {id: a, time_zone: Europe/Berln}", 5, 22,
            "\"Europe/Berln\" is not an IANA zone known here"),
        Case(
            head + "customers:\n- {id: a, time_zone: ../../etc/passwd}", 5, 22,
            "is not the name of a time zone"),
        Case(
            head + "customers:\n- {id: a, subscription: pro}", 5, 25,
            "expected a mapping for a subscription"),
        Case(
            head + "customers:\n- {id: a, subscription: {plan: pro}}", 5, 25, "needs \"start\""),
        Case(
            head + "customers:\n- {id: a, subscription: {plan: pro, start: 2026-02-30}}", 5, 44,
            "neither a date"),
        Case(
            head + "customers:\n- {id: a, subscription: {plan: pro, start: 2026-02-03 10:00}}", 5,
            44, "neither a date"),
        Case(plan("sso: {enabled: true, region: eu}"), 6, 26, "did you mean \"regions\"?"),
        Case(plan("tokens: {limit: 5, period: day, grace: {}}"), 6, 44, "needs \"units\" or"),
        Case(
            plan("tokens: {limit: 5, period: day, overage_max: -1}"), 6, 50, "not be negative"),
        Case("stripe: {prices: {p: {plan: a, seats: b}}}", 1, 22, "a price names one of"),
        Case("stripe: {prices: {}, failed_attempts: 0}", 1, 39, "must be 1 to 1000"),
        Case(
            head
                + "customers:\n- {id: a, subscription: {plan: pro, start: 2026-02-03, end: 2026-01-03}}",
            5, 61, "comes before the start"),
        Case(
            head
                + "customers:\n- id: a\n  subscriptions:\n  - {plan: pro, start: 2026-02-03, trial: true}",
            7, 36, "a subscription has no \"trial\""),
        Case(
            head
                + "customers:\n- {id: a, subscription: {plan: pro, start: 2026-02-03, seats: {sso: 5}}}",
            5, 69, "\"sso\" is a boolean feature, not a seat one"),
        Case(head + "customers:\n- {id: \"a#test\"}", 5, 8, "must not end in \"#test\""),
        Case(
            head + "customers:\n- {id: a, environment: live}", 5, 24,
            "environment is one of production"),
        Case(
            head + "customers:\n- {id: a, metadata: {a: [b]}}", 5, 25,
            "expected text for \"a\", found a list"),
    ]

    static let meaning: [Case] = [
        Case("meters:\n- {key: a, event_type: x, aggregation: sum}", 2, 3, "sum needs a value"),
        Case(
            "meters:\n- {key: a, event_type: x, aggregation: count}\n"
                + "- {key: a, event_type: x, aggregation: count}", 3, 9, "two meters \"a\""),
        Case("features:\n- {key: a, type: metered, meter: b}", 2, 34, "no meter \"b\""),
        Case(plan("calls: {limit: 5, period: day}\n    regoin: eu"), 7, 5, "mean \"region\"?"),
        Case(plan("low: {limit: 5, period: day}"), 6, 18, "a minimum only falls"),
        Case(
            plan("tokens: {limit: 5, period: day, thresholds: [50%, 50%]}"), 6, 55, "there twice"),
        Case(
            plan("tokens: {limit: 5, period: day, on_outage: {allowance: 2}}"), 6, 37,
            "spent at admission"),
        Case(
            head + "customers:\n- {id: a, subscription: {plan: pra, start: 2026-02-03}}", 5, 32,
            "no plan \"pra\"; did you mean \"pro\"?"),
        Case(
            head + "customers:\n- {id: a, subjects: [k]}\n- {id: b, subjects: [j, k]}", 6, 25,
            "belongs to customer \"a\" already"),
        Case(
            head + "customers:\n- {id: a, parent: b}\n- {id: b, parent: a}", 5, 19,
            "own ancestor"),
    ]

    @Test(arguments: form + meaning)
    func isToldWhereItIs(_ item: Case) {
        let found = problems(item.yaml)
        let isThere = found.contains {
            $0.line == item.line && $0.column == item.column && $0.message.contains(item.part)
        }
        #expect(isThere, "wanted \(item.line):\(item.column) \(item.part), found \(found)")
    }

    @Test func allProblemsComeAtOnceInOrder() {
        let yaml = """
            meters:
            - {key: a, event_type: x, aggregation: total}
            - {kee: b, event_type: x, aggregation: count}
            features: 5
            customers:
            - {id: c, time_zone: Nowhere}
            """
        #expect(problems(yaml).map(\.line) == [2, 3, 3, 4, 6])
    }
}
