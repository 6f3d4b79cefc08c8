import Entitlements
import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

@Suite("Bulk import")
struct ImportTests {
    @Test("documents and orders, side by side; the same again changes nothing")
    func mixedLines() async throws {
        let fixture = try await IntakeFixture()
        let lines = [
            #"{"id": "acme", "time_zone": "Europe/Berlin", "external_ids": {"stripe": "cus_7"}, "metadata": {"tier": "a"}, "subscription": {"plan": "pro", "start": "2026-01-01", "end": "2026-12-31"}, "overrides": [{"feature": "api_calls", "value": {"limit": 7}, "start": "2026-01-01", "reason": "agreed"}], "grants": [{"feature": "llm_tokens", "amount": 5, "start": "2026-01-01"}]}"#,
            "",
            #"{"account_id": "beta", "plan": "starter", "limits": {"seats": -1}}"#,
            #"{"id": "sub1", "parent": "acme", "subjects": [{"id": "k", "environment": "sandbox"}]}"#,
        ]
        let dry = try await fixture.load(lines, dryRun: true)
        let wouldCreate = dry["create"]?.integer
        #expect(wouldCreate == 3)
        let example = dry["examples"]?.elements?.first
        #expect(example?["customer"]?.text == "acme")
        #expect(try fixture.store.record(.customer, "acme") == nil)
        #expect(try fixture.store.imports("im_1") == nil)

        let done = try await fixture.load(lines)
        #expect(done["state"]?.text == "done")
        let created = done["created"]?.integer
        #expect(created == 3)
        #expect(fixture.entitlement("api_calls", of: "acme") == "7 per month")
        #expect(fixture.entitlement("sso", of: "acme", at: "2026-12-31T22:59:59Z") == "on")
        #expect(fixture.entitlement("sso", of: "acme", at: "2026-12-31T23:00:00Z") != "on")
        #expect(fixture.entitlement("seats", of: "beta") == "unlimited seats")
        #expect(fixture.entitlement("sso", of: "sub1") == "on")
        #expect(try fixture.store.customer(externalSystem: "stripe", name: "cus_7") == "acme")

        let revision = fixture.store.revision
        let same = try await fixture.load(lines)
        #expect(same == done)
        let other = try await fixture.load(lines, id: "im_2")
        let unchanged = other["unchanged"]?.integer
        #expect(unchanged == 3)
        #expect(fixture.store.revision == revision)
        // What a line leaves out stays as it is.
        let renamed = try await fixture.load([#"{"id": "acme", "name": "Acme"}"#], id: "im_3")
        let changed = renamed["changed"]?.integer
        #expect(changed == 1)
        let document = try fixture.document(.customer, "acme")
        #expect(document?["name"]?.text == "Acme")
        #expect(document?["time_zone"]?.text == "Europe/Berlin")
    }

    @Test("counts that are given are confirmed")
    func counts() async throws {
        let fixture = try await IntakeFixture()
        let lines = (0..<1_001).map { #"{"id": "c\#($0)"}"# }
        let wrong = try await fixture.refusal { try await fixture.load(lines, expected: 1_000) }
        #expect(wrong?.code == "count_mismatch")
        #expect(wrong?.kind == .conflict)
        let dry = try await fixture.load(lines, dryRun: true)
        let total = dry["total"]?.integer
        #expect(total == 1_001)
        #expect(fixture.engine.current.load().customerIndex("c0") == nil)
        try await fixture.load(lines)
        #expect(fixture.engine.current.load().customerIndex("c1000") != nil)
    }

    @Test("every line at fault is told, with its field, and nothing is applied")
    func faults() async throws {
        let fixture = try await IntakeFixture()
        let before = fixture.store.revision
        let bad: [(String, String?)] = [
            (#"{"id": "a""#, nil),
            (#"[]"#, nil),
            (#"{"name": "x"}"#, "id"),
            (
                #"{"id": "b", "subscription": {"plan": "prow", "start": "2026-01-01"}}"#,
                "subscription.plan"
            ),
            (
                #"{"id": "c", "subscriptions": [{"plan": "pro", "start": "2026-02-01", "end": "2026-01-01"}]}"#,
                "subscriptions[0].end"
            ),
            (#"{"id": "d", "time_zone": "Europe/Berln"}"#, "time_zone"),
            (#"{"id": "e", "subscrption": {}}"#, "subscrption"),
            (
                #"{"id": "f", "overrides": [{"feature": "api_calls", "value": {"limit": -1}, "start": "2026-01-01"}]}"#,
                "overrides[0].value.limit"
            ),
            (
                #"{"account_id": "g", "plan": "pro", "limits": {"api_calls": -2}}"#,
                "limits.api_calls"
            ),
            (#"{"id": "h", "parent": "nobody"}"#, "parent"),
            (#"{"id": "i", "parent": "j"}"#, "parent"),
            (#"{"id": "j", "parent": "i"}"#, "parent"),
            (#"{"id": "ok"}"#, "-"),
            (#"{"id": "ok"}"#, "id"),
            (#"{"id": "k", "subjects": ["key_berlin"]}"#, "subjects[0]"),
            (#"{"id": "l#sandbox"}"#, "id"),
            (
                #"{"id": "m", "subscriptions": [{"id": "m1", "plan": "pro", "start": "2026-01-01"}, {"id": "m2", "plan": "starter", "start": "2026-02-01"}]}"#,
                nil
            ),
        ]
        // Faults of form come first, all of them; then those of meaning.
        for lines in [bad.map(\.0), bad.filter { $0.1 != "-" }.map(\.0)] {
            let problem = try #require(try await fixture.refusal { try await fixture.load(lines) })
            #expect(problem.code == "invalid_lines")
            #expect(problem.kind == .unprocessable)
            #expect(!problem.lines.isEmpty)
        }
        for (index, (line, field)) in bad.enumerated() where ![10, 11, 12, 13].contains(index) {
            let problem = try #require(
                try await fixture.refusal { try await fixture.load([line], id: "im_\(index)") })
            #expect(problem.lines.map(\.line) == [1], "\(line)")
            if let field { #expect(problem.lines.first?.field == field, "\(line)") }
        }
        let cycle = try await fixture.refusal { try await fixture.load([bad[10].0, bad[11].0]) }
        #expect(cycle?.lines.map(\.line) == [1, 2])
        let twice = try await fixture.refusal { try await fixture.load([bad[12].0, bad[13].0]) }
        #expect(twice?.lines.map(\.line) == [2])
        #expect(fixture.store.revision == before)
    }

    @Test("a broken line 7,000 of 8,000: nothing is applied")
    func brokenLine() async throws {
        let fixture = try await IntakeFixture()
        let before = fixture.store.revision
        var lines = (1...8_000).map { IntakeFixture.customer($0) }
        lines[6_999] = #"{"id": "c7000", "subscription": {"plan": "pro", "start": "2026-13-01"}}"#
        let problem = try await fixture.refusal {
            try await fixture.load(lines, expected: 8_000)
        }
        #expect(problem?.lines.map(\.line) == [7_000])
        #expect(problem?.lines.first?.field == "subscription.start")
        #expect(fixture.store.revision == before)
        #expect(try fixture.store.imports("im_1") == nil)
        #expect(fixture.engine.current.load().customerIndex("c1") == nil)
    }

    @Test("parents may come after their children, and in other chunks")
    func trees() async throws {
        let fixture = try await IntakeFixture()
        let lines = [
            #"{"id": "leaf", "parent": "middle"}"#, #"{"id": "x"}"#,
            #"{"id": "middle", "parent": "root"}"#, #"{"id": "y"}"#,
            #"{"id": "root", "subscription": {"plan": "pro", "start": "2026-01-01"}}"#,
            #"{"id": "late", "parent": "berlin"}"#,
        ]
        try await fixture.load(lines, chunk: 1)
        #expect(fixture.entitlement("sso", of: "leaf") == "on")
        let children = try fixture.store.children(of: "root")
        #expect(children == ["middle"])
        let rolled = try await fixture.rollBack("im_1", chunk: 1)
        #expect(rolled["state"]?.text == "rolled_back")
        #expect(
            fixture.entitlement("sso", of: "leaf") == "no customer"
                || fixture.entitlement("sso", of: "leaf") == "nothing")
    }

    @Test("the same id with another body is a conflict")
    func otherBody() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.load([#"{"id": "a"}"#])
        let problem = try await fixture.refusal { try await fixture.load([#"{"id": "b"}"#]) }
        #expect(problem?.code == "import_conflict")
        #expect(problem?.kind == .conflict)
    }

    @Test("a roll-back is refused while something builds on the import")
    func rollBackConflict() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.load([IntakeFixture.customer(1), IntakeFixture.customer(2)])
        let before = fixture.store.revision
        try await fixture.run { (draft) throws(ControlProblem) in
            try draft.put(
                .override, "ov_1", customer: "c2",
                .object([
                    "id": .string("ov_1"), "customer": .string("c2"), "feature": .string("sso"),
                    "value": .bool(true), "start": .string("2026-01-01T00:00:00Z"),
                    "reason": .string("r"),
                ]))
        }
        let own = try await fixture.refusal { _ = try await fixture.rollBack("im_1") }
        #expect(own?.code == "cannot_roll_back")
        #expect(own?.kind == .conflict)
        #expect(fixture.store.revision == before + 1)
        #expect(fixture.entitlement("seats", of: "c1") == "1 seats")
        let unknown = try await fixture.refusal { _ = try await fixture.rollBack("im_9") }
        #expect(unknown?.kind == .notFound)
    }
}
