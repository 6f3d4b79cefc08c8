import Entitlements
import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

@Suite("Catalog documents")
struct ApplyTests {
    private func problem(_ body: () async throws -> Void) async throws -> String? {
        do {
            try await body()
            return nil
        } catch let problems as CatalogProblems {
            return problems.problems.first.map { "\($0.line): \($0.message)" }
        }
    }

    private func apply(
        _ yaml: String, _ fixture: IntakeFixture, dryRun: Bool = false, prunes: Bool = false,
        migrates: Bool = false, expected: Int? = nil
    ) async throws -> CatalogChange {
        var context = fixture.context()
        context.expectedCount = expected
        return try await fixture.service.apply(
            yaml, .init(isDryRun: dryRun, prunes: prunes, migrates: migrates), context)
    }

    private static let base = IntakeFixture.catalog

    @Test("the same document again changes nothing, and comes back as it was written")
    func sameAgain() async throws {
        let fixture = try await IntakeFixture()
        let revision = fixture.store.revision
        let again = try await apply("# a remark\n" + Self.base, fixture)
        #expect(again.lines == [])
        #expect(!again.isApplied)
        #expect(fixture.store.revision == revision)
        let export = try await fixture.service.export(includesAll: false)
        #expect(export.yaml == "# a remark\n" + Self.base)
        #expect(export.revision == revision)
    }

    @Test("a new version of a plan; what was bought stays on the one before until it is migrated")
    func versions() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.provision(#"{"account_id": "acme", "plan": "starter"}"#)
        let next = Self.base.replacing("limit: 1000,", with: "limit: 2000,")
        let dry = try await apply(next, fixture, dryRun: true)
        #expect(dry.lines.count == 1)
        #expect(dry.lines.first?.contains("new version 2; 1 subscription stays") == true)
        #expect(!dry.isApplied)
        #expect(fixture.entitlement("api_calls", of: "acme") == "1000 per month")
        let done = try await apply(next, fixture)
        #expect(done.lines == dry.lines)
        #expect(done.isApplied)
        #expect(fixture.entitlement("api_calls", of: "acme") == "1000 per month")
        try await fixture.provision(#"{"account_id": "new", "plan": "starter"}"#)
        #expect(fixture.entitlement("api_calls", of: "new") == "2000 per month")
        fixture.advance(seconds: 60)
        let moved = try await apply(next, fixture, migrates: true)
        #expect(
            moved.lines == ["~ plan starter: 1 subscription on earlier versions → version 2"])
        #expect(fixture.entitlement("api_calls", of: "acme") == "2000 per month")
        #expect(try await apply(next, fixture, migrates: true).lines == [])
    }

    @Test("customers and their subscriptions, made, changed and kept")
    func customers() async throws {
        let fixture = try await IntakeFixture()
        let more = """
            \(Self.base)
                subscription: {plan: starter, start: 2026-01-01}
              - id: child
                parent: berlin
            """
        let added = try await apply(more, fixture)
        #expect(added.lines.contains { $0.hasPrefix("+ customer child") })
        #expect(fixture.entitlement("api_calls", of: "child") == "1000 per month")
        let document = try fixture.document(.subscription, "berlin:app")
        #expect(document?["start"]?.text == "2025-12-31T23:00:00Z")
        #expect(document?["managed_by"]?.text == "catalog")
        // What other systems note with a customer is not the document's.
        try await fixture.run { (draft) throws(ControlProblem) in
            try draft.patch(
                .customer, "berlin",
                .object(["external_ids": .object(["stripe": .string("cus_5")])]))
        }
        #expect(try await apply(more, fixture).lines == [])
        #expect(try fixture.store.customer(externalSystem: "stripe", name: "cus_5") == "berlin")

        fixture.advance(seconds: 3_600)
        let upgraded = try await apply(
            more.replacing("{plan: starter, start", with: "{plan: pro, start"), fixture)
        #expect(upgraded.lines.count == 1)
        #expect(fixture.entitlement("sso", of: "child") == "on")
        #expect(fixture.entitlement("sso", of: "child", at: "2026-03-10T12:30:00Z") == "nothing")
    }

    @Test("an export that was changed since is written anew, and applying it changes nothing")
    func export() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.provision(#"{"account_id": "acme", "plan": "pro", "seats": 30}"#)
        let untouched = try await fixture.service.export(includesAll: false)
        #expect(untouched.yaml == Self.base)
        try await fixture.run { (draft) throws(ControlProblem) in
            try draft.patch(.customer, "berlin", .object(["name": .string("Berlin")]))
        }
        let export = try await fixture.service.export(includesAll: false)
        #expect(export.yaml.contains("Berlin"))
        #expect(!export.yaml.contains("acme"))
        #expect(try await apply(export.yaml, fixture).lines == [])
        let all = try await fixture.service.export(includesAll: true)
        #expect(all.yaml.contains("acme"))

        // And it makes the same of an empty installation.
        let other = try await IntakeFixture(nil)
        _ = try await apply(all.yaml, other)
        let features = ["api_calls", "seats", "sso", "scim", "region"]
        let instants = ["2026-03-10T12:00:00Z", "2027-01-01T00:00:00Z"]
        let copy = other.picture(
            of: ["acme", "berlin"], features: features, subjects: ["key_berlin"], at: instants)
        #expect(
            copy
                == fixture.picture(
                    of: ["acme", "berlin"], features: features, subjects: ["key_berlin"],
                    at: instants))
        let again = try await other.service.export(includesAll: true)
        #expect(again.yaml == all.yaml)
    }

    @Test("what a document does not name stays, and is pruned only by its count")
    func prune() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.run { (draft) throws(ControlProblem) in
            try draft.put(
                .feature, "own", .object(["key": .string("own"), "type": .string("boolean")]))
        }
        let less = Self.base
            .replacing("  - {key: devices, type: seat}\n", with: "")
            .replacing("  - {key: llm_tokens, type: metered, meter: tokens}\n", with: "")
            .replacing(
                "  - {key: tokens, event_type: token, aggregation: sum, value: $.n}\n", with: "")
        #expect(try await apply(less, fixture).lines == [])
        #expect(fixture.engine.current.load().feature("devices") != nil)
        let dry = try await apply(less, fixture, dryRun: true, prunes: true)
        #expect(
            dry.lines == [
                "- meter tokens", "- feature devices", "- feature llm_tokens",
                "  prune removes 3: expected_count=3",
            ])
        let blind = try await problem { _ = try await apply(less, fixture, prunes: true) }
        #expect(blind?.contains("expected_count=3") == true)
        let wrong = try await problem {
            _ = try await apply(less, fixture, prunes: true, expected: 2)
        }
        #expect(wrong?.contains("prune would remove 3, not 2") == true)
        #expect(fixture.engine.current.load().feature("devices") != nil)
        let done = try await apply(less, fixture, prunes: true, expected: 3)
        #expect(done.isApplied)
        #expect(fixture.engine.current.load().feature("devices") == nil)
        // Made by a command, not by a document.
        #expect(fixture.engine.current.load().feature("own") != nil)
    }

    @Test("pruned customers are gone with all they had; what is in use stays, with a word")
    func pruneCustomers() async throws {
        let fixture = try await IntakeFixture()
        try await fixture.provision(
            #"{"account_id": "berlin", "plan": "pro", "features": ["scim"]}"#)
        try await fixture.provision(#"{"account_id": "acme", "plan": "pro"}"#)
        let less = Self.base
            .components(upTo: "customers:")
            .replacing("  - {key: lonely}\n", with: "")
            .replacing("    price_starter: {plan: starter}\n", with: "")
        let withoutPlan = less.replacing(
            "  - key: lonely\n    product: lonely\n    entitlements: {scim: true}\n", with: "")
        try await fixture.provision(#"{"account_id": "acme", "plan": "lonely"}"#)
        let dry = try await apply(withoutPlan, fixture, dryRun: true, prunes: true)
        #expect(dry.lines.contains("- customer berlin"))
        #expect(dry.lines.contains { $0.contains("plan lonely stays") })
        #expect(dry.lines.last == "  prune removes 1: expected_count=1")
        _ = try await apply(withoutPlan, fixture, prunes: true, expected: 1)
        #expect(fixture.entitlement("scim", of: "berlin") == "nothing")
        #expect(fixture.entitlement("sso", of: "acme") == "on")
        #expect(try fixture.document(.customer, "berlin") == nil)
        #expect(try fixture.store.customer(ofSubject: "key_berlin") == nil)
    }

    @Test("problems have their places in the text; those with the records have none")
    func problems() async throws {
        let fixture = try await IntakeFixture()
        let revision = fixture.store.revision
        let unknown = try await problem {
            _ = try await apply(
                Self.base.replacing("meter: calls}", with: "meter: cals}"), fixture)
        }
        #expect(unknown?.hasPrefix("8: ") == true, "\(unknown ?? "")")
        let empty = try await problem { _ = try await apply("{}", fixture) }
        #expect(empty?.contains("empty") == true)
        let changed = try await problem {
            _ = try await apply(
                Self.base.replacing("aggregation: sum, value", with: "aggregation: max, value"),
                fixture)
        }
        #expect(changed?.contains("give the changed meter a new key") == true)
        let parent = try await problem {
            _ = try await apply(Self.base + "\n    parent: nobody", fixture)
        }
        #expect(parent?.contains("nobody") == true)
        #expect(parent?.hasPrefix("0:") == false)
        #expect(fixture.store.revision == revision)
    }
}

extension String {
    fileprivate func components(upTo word: String) -> String {
        guard let range = firstRange(of: word) else { return self }
        return String(self[..<range.lowerBound])
    }
}
