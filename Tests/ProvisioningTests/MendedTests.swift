import Entitlements
import Foundation
import Logging
import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@testable import Provisioning

/// What users and attackers once found wanting.
@Suite("Dates, deletions, names and bad records")
struct MendedTests {
    @Test("a definition cannot be dated, whatever is done to it")
    func definitionsChangeAtOnce() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let later = "2026-04-01T00:00:00Z"
        let commands: [(ControlCommand.Operation, String)] = [
            (.create(.feature), #"{"key": "new", "type": "boolean"}"#),
            (.put(.feature, "sso"), #"{"key": "sso", "type": "boolean", "name": "SSO"}"#),
            (.patch(.plan, "pro"), #"{"name": "Pro"}"#), (.delete(.addOn, "extra"), "{}"),
        ]
        for (operation, body) in commands {
            let problem = await plane.problem(operation, body, at: later)
            #expect(problem?.code == "definitions_change_at_once", "\(operation)")
            #expect(problem?.field == "effective_at")
        }
        let plan = await plane.problem(.patch(.plan, "pro"), #"{"name": "Pro"}"#, at: later)
        #expect(plan?.detail.contains("/migrate with effective_at") == true)
        try await plane.perform(
            .patch(.plan, "pro"), #"{"name": "Pro"}"#, at: "2026-03-10T12:00:00Z")
    }

    @Test("a deletion takes later changes along, and its undo brings them back")
    func deletesForGood() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let id = "acme:suite"
        let april = Timestamp(rfc3339: "2026-04-01T00:00:00Z") ?? .distantPast
        let may = Timestamp(rfc3339: "2026-05-01T00:00:00Z") ?? .distantPast
        let upgrade = try await plane.perform(
            .patch(.subscription, id), #"{"plan": "pro"}"#, at: "2026-04-01T00:00:00Z")
        try await plane.perform(
            .patch(.subscription, id), #"{"end": "2026-06-01T00:00:00Z"}"#,
            at: "2026-04-20T00:00:00Z")
        let before = try #require(try plane.store.record(.subscription, id))
        let answer = try await plane.perform(.delete(.subscription, id))
        for instant in [plane.now, april, may] {
            #expect(plane.right("acme", "tokens", at: instant) == "expired")
        }
        #expect(try plane.store.record(.subscription, id)?.latest == nil)

        let request = try #require(answer.body["change"]?["request_id"]?.text)
        let undo = try await plane.perform(.undo(request))
        let after = try #require(try plane.store.record(.subscription, id))
        #expect(after.entries.map(\.patch) == before.entries.map(\.patch))
        #expect(after.entries.map(\.effectiveAt) == before.entries.map(\.effectiveAt))
        #expect(plane.right("acme", "tokens", at: may) == "1000/month")
        // What was brought back is still the change of the request that first made it.
        let end = await plane.problem(
            .undo(try #require(upgrade.body["change"]?["request_id"]?.text)))
        #expect(end == nil)
        #expect(plane.right("acme", "tokens", at: may) == "100/month")
        _ = undo
    }

    @Test("the log says from when on an undone creation held")
    func undoKeepsItsInstant() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.perform(.create(.customer), #"{"id": "acme"}"#)
        let made = try await plane.perform(
            .create(.subscription),
            #"{"customer": "acme", "plan": "pro", "start": "2026-02-01T00:00:00Z"}"#)
        try await plane.perform(.undo(try #require(made.body["change"]?["request_id"]?.text)))
        let row = try plane.store.changes(
            AuditFilter(), after: plane.store.revision - 1, limit: 1
        ).first
        #expect(row?.change.document["effective_at"]?.text == "2026-02-01T00:00:00Z")
    }

    @Test("a late repetition of a revocation tells the truth")
    func lateRevocation() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let body = #"{"account_id": "acme", "product": "suite", "reason": "unpaid"}"#
        let instant = "2026-03-10T11:00:00Z"
        let first = try await plane.perform(.revoke, body, at: instant)
        #expect(first.body["status"]?.text == "revoked")
        let repeated = try await plane.perform(.revoke, body, at: instant)
        #expect(repeated.body["status"]?.text == "revoked")
        plane.advance(seconds: 60)
        try await plane.perform(.reinstate, #"{"account_id": "acme", "product": "suite"}"#)
        plane.advance(seconds: 60)
        let late = try await plane.perform(.revoke, body, at: instant)
        #expect(late.body["status"]?.text == "reinstated")
        #expect(plane.right("acme", "tokens") == "100/month")
    }

    @Test("a reason says something, in a few words")
    func reasons() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let long = String(repeating: "x", count: 2_001)
        for (reason, code) in [(long, "reason_too_long"), ("   ", "missing"), ("", "missing")] {
            let body = #"{"account_id": "acme", "product": "suite", "reason": "\#(reason)"}"#
            let revocation = await plane.problem(.revoke, body)
            #expect(revocation?.code == code)
            let override = await plane.problem(
                .create(.override),
                #"{"customer": "acme", "feature": "sso", "value": true, "reason": "\#(reason)"}"#)
            #expect(override?.code == code)
            #expect(override?.field == "reason")
        }
    }

    @Test("names with a twin are refused everywhere")
    func refusesTwins() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let bodies: [(RecordKind, String)] = [
            (.feature, #"{"key": "\u212a", "type": "boolean"}"#),
            (.product, #"{"key": "e\u0301"}"#), (.customer, #"{"id": "e\u0301"}"#),
            (.customer, #"{"id": "b", "subjects": ["\u212a"]}"#),
        ]
        for (kind, body) in bodies {
            let problem = await plane.problem(.create(kind), body)
            #expect(
                problem?.detail.contains("NFC") == true, "\(body): \(String(describing: problem))")
        }
    }

    @Test("one bad record keeps nobody else from being served, and can be mended")
    func startsWithoutBadCustomers() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        for id in ["a", "b", "c"] { try await plane.makeCustomer(id) }
        let revision = plane.store.revision
        // As no command would leave it: a plan that there is not.
        _ = try plane.store.commit(
            ControlCommit(
                base: revision,
                changes: [
                    ControlChange(
                        sequence: revision + 1, at: plane.now, actor: "test", source: "test",
                        effectiveAt: plane.now, requestID: "bad", action: .update,
                        kind: .subscription, id: "b:suite", customer: "b",
                        patch: .members(["plan": .string("gone")]))
                ]))
        let again = try await plane.reopened()
        #expect(again.right("a", "tokens") == "100/month")
        #expect(again.right("b", "tokens") == "nobody")
        #expect(again.right("c", "tokens") == "100/month")
        // Definitions can change all the same, and others too.
        try await again.perform(.create(.feature), #"{"key": "new", "type": "boolean"}"#)
        try await again.makeCustomer("d")
        #expect(again.right("d", "tokens") == "100/month")
        #expect(again.right("b", "tokens") == "nobody")
        try await again.perform(.patch(.subscription, "b:suite"), #"{"plan": "pro"}"#)
        #expect(again.right("b", "tokens") == "1000/month")
        // Mended, it must compile like everybody.
        try await again.perform(.create(.feature), #"{"key": "newer", "type": "boolean"}"#)
        #expect(again.right("b", "tokens") == "1000/month")
    }
}
