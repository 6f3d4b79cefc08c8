import Entitlements
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Testing

@Suite("Commands on records")
struct RecordCommandTests {
    @Test func makesReadsChangesAndDeletes() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let made = try await plane.perform(
            .create(.customer), #"{"id": "acme", "name": "Acme", "subjects": ["key_1"]}"#)
        #expect(made.status == 201)
        #expect(made.location == "/v1/customers/acme")
        #expect(made.entityTag == String(plane.store.revision))
        #expect(made.body["change"]?["changed"]?.integer == 1)
        let subscribed = try await plane.perform(
            .create(.subscription), #"{"customer": "acme", "plan": "basic"}"#)
        #expect(subscribed.body["id"]?.text == "acme:suite")
        #expect(subscribed.body["version"]?.integer == 1)
        #expect(subscribed.body["product"]?.text == "suite")
        #expect(subscribed.body["start"]?.text == "2026-03-10T12:00:00Z")
        #expect(plane.right("acme", "tokens") == "100/month")
        #expect(plane.snapshot.customerIndex(ofSubject: "key_1") != nil)

        let patched = try await plane.perform(
            .patch(.customer, "acme"), #"{"name": null, "metadata": {"tier": "gold"}}"#)
        #expect(patched.status == 200)
        #expect(patched.body["name"] == nil)
        #expect(patched.body["metadata"]?["tier"]?.text == "gold")
        let same = try await plane.perform(
            .patch(.customer, "acme"), #"{"metadata": {"tier": "gold"}}"#)
        #expect(same.body["change"]?["changed"]?.integer == 0)
        #expect(same.entityTag == patched.entityTag)

        // A record can be sent back as it was read.
        let read = try await plane.read(.record(.subscription, "acme:suite"))
        let sent = try await plane.perform(
            .put(.subscription, "acme:suite"), read.body.canonicalText)
        #expect(sent.body["change"]?["changed"]?.integer == 0)

        plane.advance(seconds: 60)
        try await plane.perform(.delete(.subscription, "acme:suite"))
        #expect(plane.right("acme", "tokens") == "expired")
        #expect(plane.right("acme", "tokens", at: Harness.start) == "100/month")
        #expect(await plane.problem(.delete(.subscription, "acme:suite"))?.code == "not_found")
        let before = try await plane.read(
            .record(.subscription, "acme:suite"), at: "2026-03-10T12:00:30Z")
        #expect(before.body["plan"]?.text == "basic")
    }

    @Test(arguments: [
        (.create(.customer), "{}", "missing", "id"),
        (.create(.customer), #"{"id": "acme"}"#, "already_exists", "id"),
        (.create(.customer), #"{"id": "new", "nmae": "x"}"#, "unknown_member", "nmae"),
        (.create(.customer), #"{"id": "new", "time_zone": "Mars/X"}"#, "unknown_time_zone", "time_zone"),
        (.create(.customer), #"{"id": "new", "parent": "nobody"}"#, "unknown_customer", "parent"),
        (.create(.customer), #"{"id": "new", "subjects": ["key_1"]}"#, "duplicate_subject", "subjects[0]"),
        (.create(.customer), #"{"id": "new#sandbox"}"#, "invalid_id", "id"),
        (.patch(.customer, "acme"), #"{"parent": "child"}"#, "cyclic_parent", "parent"),
        (.patch(.customer, "nobody"), "{}", "not_found", nil),
        (.put(.customer, "acme"), #"{"id": "other"}"#, "id_mismatch", "id"),
        (.delete(.customer, "acme"), "{}", "in_use", nil),
        (.create(.subscription), #"{"customer": "acme", "plan": "porr"}"#, "unknown_plan", "plan"),
        (.create(.subscription), #"{"customer": "nobody", "plan": "pro"}"#, "unknown_customer", "customer"),
        (.create(.subscription), #"{"plan": "pro"}"#, "missing", "customer"),
        (.create(.subscription), #"{"id": "s2", "customer": "acme", "plan": "pro", "version": 7}"#, "unknown_plan_version", "version"),
        (.create(.subscription), #"{"id": "s2", "customer": "acme", "plan": "pro"}"#, "overlapping_subscription", "start"),
        (.create(.subscription), #"{"id": "s2", "customer": "child", "plan": "pro", "start": "2026-04-01", "end": "2026-03-01"}"#, "end_before_start", "end"),
        (.create(.subscription), #"{"id": "s2", "customer": "child", "plan": "pro", "add_ons": ["nope"]}"#, "unknown_add_on", "add_ons[0].key"),
        (.patch(.subscription, "acme:suite"), #"{"customer": "child"}"#, "immutable", "customer"),
        (.create(.override), #"{"customer": "acme", "feature": "tokens", "value": {"limit": 5}}"#, "missing", "reason"),
        (.create(.override), #"{"customer": "acme", "feature": "toksen", "value": {"limit": 5}, "reason": "r"}"#, "unknown_feature", "feature"),
        (.create(.override), #"{"customer": "acme", "feature": "tokens", "value": {"limit": -1}, "reason": "r"}"#, "negative_limit", "value.limit"),
        (.create(.grant), #"{"customer": "acme", "feature": "tokens", "amount": 5}"#, "missing", "reason"),
        (.create(.grant), #"{"customer": "acme", "feature": "tokens", "amount": 5, "reason": "r", "rollover": {"min": 9, "max": 3}}"#, "invalid_value", "rollover.min"),
        (.create(.suspension), #"{"customer": "acme"}"#, "missing", "reason"),
        (.create(.plan), #"{"key": "bad", "entitlements": {"nope": true}}"#, "unknown_feature", "entitlements.nope"),
        (.create(.feature), #"{"key": "bad", "type": "metered", "meter": "nope"}"#, "unknown_meter", "meter"),
        (.patch(.meter, "tokens"), #"{"aggregation": "max"}"#, "in_use", "aggregation"),
        (.patch(.meter, "tokens"), #"{"scale": 2}"#, "in_use", "scale"),
        (.delete(.meter, "tokens"), "{}", "in_use", nil),
        (.delete(.feature, "tokens"), "{}", "in_use", nil),
        (.delete(.plan, "basic"), "{}", "in_use", nil),
        (.delete(.product, "suite"), "{}", "in_use", nil),
        (.create(.integration), #"{"prices": {"p": {"plan": "porr"}}}"#, "unknown_plan", "prices.p.plan"),
        (.revoke, #"{"account_id": "acme", "product": "suite"}"#, "missing", "reason"),
        (.revoke, #"{"account_id": "acme", "product": "suit", "reason": "r"}"#, "unknown_product", "product"),
        (.revoke, #"{"account_id": "nobody", "product": "suite", "reason": "r"}"#, "unknown_customer", "account_id"),
        (.revoke, #"{"product": "suite", "reason": "r"}"#, "missing", "account_id"),
        (.undo("nothing"), "{}", "not_found", nil),
        (.migrate("basic"), #"{"to": 9}"#, "unknown_plan_version", "to"),
        (.assignSeat("acme", "seats"), "{}", "missing", "holder"),
        (.assignSeat("acme", "sso"), #"{"holder": "u"}"#, "wrong_feature_type", "feature"),
        (.assignSeat("acme", "live"), #"{"holder": "u"}"#, "not_entitled", "feature"),
        (.releaseSeat("acme", "seats", "u"), "{}", "not_found", nil),
        (.renewSeat("acme", "seats", "u"), "{}", "not_concurrent", "feature"),
    ] as [(ControlCommand.Operation, String, String, String?)])
    func refusesWhatCannotBe(
        _ operation: ControlCommand.Operation, _ body: String, _ code: String, _ field: String?
    ) async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme", more: #", "subjects": ["key_1"]"#)
        try await plane.perform(.create(.customer), #"{"id": "child", "parent": "acme"}"#)
        let problem = try #require(await plane.problem(operation, body))
        #expect(problem.code == code, "\(problem.detail)")
        #expect(problem.field == field, "\(problem.detail)")
    }

    @Test func holdsIfMatch() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let made = try await plane.perform(.create(.customer), #"{"id": "acme"}"#)
        let tag = try #require(made.entityTag)
        try await plane.perform(.patch(.customer, "acme"), #"{"name": "A"}"#, match: tag)
        let stale = await plane.problem(.patch(.customer, "acme"), #"{"name": "B"}"#, match: tag)
        #expect(stale?.kind == .preconditionFailed)
        #expect(stale?.code == "stale")
        try await plane.perform(.patch(.customer, "acme"), #"{"name": "B"}"#, match: "*")
        #expect(
            await plane.problem(.put(.customer, "none"), #"{"name": "B"}"#, match: "*")?.code
                == "stale")
        #expect(await plane.problem(.delete(.customer, "acme"), match: tag)?.code == "stale")
    }

    @Test func dryRunChangesNothing() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let revision = plane.store.revision
        let answer = try await plane.perform(
            .create(.customer), #"{"id": "acme"}"#, key: "k", dryRun: true)
        #expect(answer.body["change"]?["dry_run"] == .bool(true))
        #expect(answer.body["change"]?["changed"]?.integer == 1)
        #expect(answer.body["change"]?["changes"]?.elements?.first?["id"]?.text == "acme")
        #expect(plane.store.revision == revision)
        #expect(plane.snapshot.customerIndex("acme") == nil)
        // The key is still free.
        #expect(
            try await plane.perform(.create(.customer), #"{"id": "acme"}"#, key: "k").status == 201)
    }

    @Test func aPlanOfOtherContentIsAnotherVersion() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let same = try await plane.perform(
            .put(.plan, "basic"),
            """
            {"product": "suite", "entitlements": {
                "seats": 2, "region": "eu", "tokens": {"period": "month", "limit": "100"}}}
            """)
        #expect(same.body["version"]?.integer == 1)
        #expect(same.body["change"]?["changed"]?.integer == 0)
        let next = try await plane.perform(
            .patch(.plan, "basic"), #"{"entitlements": {"tokens": {"limit": 200}}}"#)
        #expect(next.body["version"]?.integer == 2)
        #expect(next.body["versions"] == .array([.integer(1), .integer(2)]))
        // Who has bought version 1 keeps it.
        #expect(plane.right("acme", "tokens") == "100/month")
        let versions = try await plane.read(.planVersions("basic"))
        #expect(versions.body["items"]?.elements?.count == 2)
        try await plane.makeCustomer("late")
        #expect(plane.right("late", "tokens") == "200/month")
    }

    @Test func anUpgradeKeepsEverythingElse() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.perform(.create(.customer), #"{"id": "acme"}"#)
        try await plane.perform(
            .create(.subscription),
            """
            {"customer": "acme", "plan": "basic", "start": "2026-01-05", "anchor": "2026-01-07",
                "add_ons": [{"key": "extra", "quantity": 2}], "seats": {"seats": 9}}
            """)
        #expect(plane.right("acme", "tokens") == "200/month")
        let answer = try await plane.perform(
            .patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#, at: "2026-03-01T00:00:00Z")
        #expect(answer.body["plan"]?.text == "pro")
        #expect(answer.body["version"]?.integer == 1)
        #expect(answer.body["anchor"]?.text == "2026-01-07T00:00:00Z")
        #expect(plane.right("acme", "tokens") == "1100/month")
        #expect(plane.right("acme", "seats") == "9 seats")
        let before = Timestamp(rfc3339: "2026-02-28T23:59:59Z") ?? .distantPast
        #expect(plane.right("acme", "tokens", at: before) == "200/month")
    }

    @Test func aVersionOfTheNewPlanCanBeAskedFor() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        try await plane.perform(
            .patch(.plan, "pro"), #"{"entitlements": {"tokens": {"limit": 2000}}}"#)
        let old = try await plane.perform(
            .patch(.subscription, "acme:suite"), #"{"plan": "pro", "version": 1}"#)
        #expect(old.body["version"]?.integer == 1)
        #expect(plane.right("acme", "tokens") == "1000/month")
        try await plane.perform(.patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#)
        #expect(plane.right("acme", "tokens") == "1000/month")
        try await plane.perform(.patch(.subscription, "acme:suite"), #"{"plan": "basic"}"#)
        try await plane.perform(.patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#)
        #expect(plane.right("acme", "tokens") == "2000/month")
    }

    @Test func datesAreInTheCustomersZone() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.perform(
            .create(.customer), #"{"id": "acme", "time_zone": "Europe/Berlin"}"#)
        let made = try await plane.perform(
            .create(.subscription),
            """
            {"customer": "acme", "plan": "basic", "start": "2026-03-01", "end": "2026-03-29",
                "effective_at": "2026-03-05"}
            """)
        #expect(made.body["start"]?.text == "2026-02-28T23:00:00Z")
        // The end of the day on which summer time begins.
        #expect(made.body["end"]?.text == "2026-03-29T22:00:00Z")
    }

    @Test(arguments: [
        ("2026-03-05T00:00:00Z", true), ("2026-03-10T12:00:00Z", true),
        ("2026-03-20T00:00:00Z", false),
    ])
    func takesEffectThen(_ instant: String, isNow: Bool) async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        try await plane.perform(
            .patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#, at: instant)
        let then = Timestamp(rfc3339: instant) ?? .distantPast
        #expect(plane.right("acme", "sso") == (isNow ? "on" : "none"))
        #expect(plane.right("acme", "sso", at: then) == "on")
        #expect(plane.right("acme", "sso", at: then.adding(seconds: -1)) == "none")
    }

    @Test func aCustomerMovesFromNowOnOnly() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.perform(.create(.customer), #"{"id": "a"}"#)
        try await plane.perform(.create(.customer), #"{"id": "b", "parent": "a"}"#)
        let problem = await plane.problem(
            .patch(.customer, "b"), #"{"parent": null}"#, at: "2026-03-01T00:00:00Z")
        #expect(problem?.code == "past_move")
        #expect(problem?.field == "parent")
        try await plane.perform(
            .patch(.customer, "b"), #"{"parent": null}"#, at: "2026-04-01T00:00:00Z")
        var above = "a"
        for level in 2...8 {
            try await plane.perform(
                .create(.customer), #"{"id": "l\#(level)", "parent": "\#(above)"}"#)
            above = "l\(level)"
        }
        let deep = await plane.problem(
            .create(.customer), #"{"id": "l9", "parent": "\#(above)"}"#)
        #expect(deep?.code == "tree_too_deep")
    }
}
