import Entitlements
import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

/// What users once found wanting about imports and catalog documents.
@Suite("All faults at once, adoptions, rehearsed roll-backs")
struct MendedIntakeTests {
    @Test("all faulty lines are told in one go, whatever is wrong with each")
    func allKindsOfFaults() async throws {
        let fixture = try await IntakeFixture()
        var lines = (1...20).map { IntakeFixture.customer($0) }
        lines[2] = #"{"id": "c3", "#
        lines[5] = #"{"id": "c6", "colour": "red"}"#
        lines[8] = #"{"id": "c9", "subscription": {"plan": "nothing"}}"#
        lines[11] = #"{"id": "c12", "parent": "nobody"}"#
        lines[14] = #"{"id": "c1"}"#
        lines[17] = """
            {"id": "c18", "subscriptions": [{"id": "s1", "plan": "starter", "start": "2026-01-01"}, \
            {"id": "s2", "plan": "starter", "start": "2026-01-01"}]}
            """
        let problem = try await fixture.refusal { try await fixture.load(lines, chunk: 7) }
        #expect(problem?.lines.map(\.line) == [3, 6, 9, 12, 15, 18])
        #expect(problem?.detail.hasPrefix("line 3 and 5 more") == true)
    }

    @Test("a hundred faulty lines are shown, the rest counted")
    func countsTheRest() async throws {
        let fixture = try await IntakeFixture()
        let lines = (1...250).map {
            $0 % 2 == 0 ? "not JSON" : #"{"id": "c\#($0)", "subscription": {"plan": "nothing"}}"#
        }
        let problem = try await fixture.refusal { try await fixture.load(lines) }
        #expect(problem?.lines.count == 100)
        #expect(problem?.detail.contains("and 249 more") == true, "\(problem?.detail ?? "")")
    }

    @Test("a rehearsed roll-back says how much it would take back, and takes nothing")
    func rehearsesRollBack() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.load((1...5).map { IntakeFixture.customer($0) })
        let revision = fixture.store.revision
        var context = fixture.context()
        context.isDryRun = true
        let answer = try await fixture.bulk().rollBack("im_1", context).body
        #expect(answer["would_take_back"]?["customers"]?.integer == 5)
        #expect(answer["would_take_back"]?["changes"]?.integer == 10)
        #expect(answer["change"]?["dry_run"] == .bool(true))
        #expect(fixture.store.revision == revision)
    }

    @Test("a document that takes customers over says so, in a rehearsal too; pruning then works")
    func tellsAdoptions() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.load((1...3).map { IntakeFixture.customer($0) })
        let yaml = try await fixture.service.export(includesAll: true).yaml
        for isDryRun in [true, false] {
            let change = try await fixture.service.apply(
                yaml, .init(isDryRun: isDryRun, prunes: false, migrates: false),
                fixture.context())
            #expect(
                change.lines == [
                    "~ 3 customers: now managed by the catalog",
                    "~ 3 subscriptions: now managed by the catalog",
                ])
        }
        let again = try await fixture.service.apply(
            yaml, .init(isDryRun: false, prunes: false, migrates: false), fixture.context())
        #expect(again.lines == [])
        #expect(!again.isApplied)

        // A subscription that changes later can be pruned now.
        let known = try #require(
            try fixture.store.records(
                .subscription, customer: "c3", after: nil, limit: 10
            ).first)
        _ = try await fixture.engine.run(
            fixture.context("later"), digest: ""
        ) { (draft) throws(ControlProblem) in
            try draft.patch(
                .subscription, known.id, .object(["renewal": .string("manual")]),
                effectiveAt: draft.now.adding(seconds: 86_400))
            return ControlAnswer(body: .object([:]))
        }
        let pruned = try await fixture.service.apply(
            IntakeFixture.catalog, .init(isDryRun: true, prunes: true, migrates: false),
            fixture.context())
        #expect(pruned.lines.contains { $0.hasPrefix("  prune removes") })
        var context = fixture.context()
        context.expectedCount =
            pruned.lines.compactMap {
                $0.split(separator: "=").last.flatMap { Int($0) }
            }.last
        _ = try await fixture.service.apply(
            IntakeFixture.catalog, .init(isDryRun: false, prunes: true, migrates: false), context)
        #expect(try fixture.store.record(.subscription, known.id)?.latest == nil)
    }
}
