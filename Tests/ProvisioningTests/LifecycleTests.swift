import Entitlements
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Testing

@Suite("Revocation, migration, undo")
struct LifecycleTests {
    private static let revocation =
        #"{"account_id": "acme", "product": "suite", "reason": "invoice_overdue"}"#

    @Test func revokedThreeTimesIsRevokedOnce() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let first = try await plane.perform(.revoke, Self.revocation)
        #expect(plane.right("acme", "tokens") == "not_entitled")
        plane.advance(seconds: 5)
        let second = try await plane.perform(.revoke, Self.revocation)
        let third = try await plane.perform(.revoke, Self.revocation, key: "k")
        #expect(second == first)
        #expect(third == first)
        #expect(try await plane.read(.list(.revocation)).body["items"]?.elements?.count == 1)
        plane.advance(seconds: 5)
        let back = try await plane.perform(
            .reinstate, #"{"account_id": "acme", "product": "suite", "reason": "paid"}"#)
        #expect(back.body["ended"]?.elements?.count == 1)
        #expect(plane.right("acme", "tokens") == "100/month")
        #expect(plane.right("acme", "tokens", at: plane.now.adding(seconds: -1)) == "not_entitled")
        let again = try await plane.perform(
            .reinstate, #"{"account_id": "acme", "product": "suite"}"#)
        #expect(again.body["change"]?["changed"]?.integer == 0)
        // Another revocation is another one, also within the same second.
        try await plane.perform(.revoke, Self.revocation)
        #expect(plane.right("acme", "tokens") == "not_entitled")
        try await plane.perform(.reinstate, #"{"account_id": "acme", "product": "suite"}"#)
        #expect(plane.right("acme", "tokens") == "100/month")
        try await plane.perform(.revoke, Self.revocation)
        #expect(plane.right("acme", "tokens") == "not_entitled")
    }

    @Test func revokesInThePastAndInTheFuture() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        func revoke(_ instant: String) async throws -> ControlAnswer {
            try await plane.perform(
                .revoke,
                """
                {"customer_id": "acme", "product": "suite", "reason": "r",
                    "effective_at": "\(instant)"}
                """)
        }
        let future = try await revoke("2026-04-01T00:00:00Z")
        #expect(try await revoke("2026-04-01T00:00:00Z") == future)
        #expect(plane.right("acme", "tokens") == "100/month")
        let then = Timestamp(rfc3339: "2026-04-01T00:00:00Z") ?? .distantPast
        #expect(plane.right("acme", "tokens", at: then) == "not_entitled")
        // Giving it back before that keeps it from coming into force.
        try await plane.perform(.reinstate, #"{"customer": "acme", "product": "suite"}"#)
        #expect(plane.right("acme", "tokens", at: then) == "100/month")
        let past = try await revoke("2026-03-05T00:00:00Z")
        #expect(try await revoke("2026-03-05T00:00:00Z") == past)
        #expect(plane.right("acme", "tokens") == "not_entitled")
    }

    @Test func migratesByFilterAfterACount() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        for number in 0..<6 {
            try await plane.makeCustomer(
                "c\(number)", more: #", "metadata": {"wave": "\#(number % 2)"}"#)
        }
        try await plane.perform(
            .patch(.plan, "basic"), #"{"entitlements": {"tokens": {"limit": 200}}}"#)
        let body = #"{"to": 2, "filter": {"metadata": {"wave": "1"}}}"#
        let dry = try await plane.perform(.migrate("basic"), body, dryRun: true)
        #expect(dry.body["count"]?.integer == 3)
        #expect(await plane.problem(.migrate("basic"), body)?.code == "count_mismatch")
        #expect(
            await plane.problem(.migrate("basic"), body, expecting: 2)?.code == "count_mismatch")
        let done = try await plane.perform(.migrate("basic"), body, expecting: 3)
        #expect(done.body["change"]?["changed"]?.integer == 3)
        #expect(plane.right("c1", "tokens") == "200/month")
        #expect(plane.right("c2", "tokens") == "100/month")
        let rest = try await plane.perform(
            .migrate("basic"), #"{"filter": {"customers": ["c0", "c1"]}}"#, expecting: 1)
        #expect(rest.body["to"]?.integer == 2)
        #expect(plane.right("c0", "tokens") == "200/month")
    }

    @Test func undoesABackdatedUpgrade() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let upgrade = try await plane.perform(
            .patch(.subscription, "acme:suite"), #"{"plan": "pro"}"#, at: "2026-03-05T00:00:00Z")
        let request = try #require(upgrade.body["change"]?["request_id"]?.text)
        // A change of something else does not stand in the way.
        try await plane.perform(
            .patch(.subscription, "acme:suite"), #"{"seats": {"seats": 7}}"#)
        let undone = try await plane.perform(.undo(request))
        #expect(undone.body["changes"]?.integer == 1)
        #expect(plane.right("acme", "tokens") == "100/month")
        #expect(plane.right("acme", "seats") == "7 seats")
        let again = try await plane.perform(.undo(request))
        #expect(again.body["change"]?["changed"]?.integer == 0)
        // Undoing the undo makes the change again.
        let other = try #require(undone.body["change"]?["request_id"]?.text)
        try await plane.perform(.undo(other))
        #expect(plane.right("acme", "tokens") == "1000/month")
        #expect(try await plane.perform(.undo(other)).body["changes"]?.integer == 0)
    }

    @Test func saysWhatStandsInTheWayOfAnUndo() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let made = try await plane.perform(.create(.customer), #"{"id": "acme"}"#)
        let request = try #require(made.body["change"]?["request_id"]?.text)
        let named = try await plane.perform(.patch(.customer, "acme"), #"{"name": "A"}"#)
        let name = try #require(named.body["change"]?["request_id"]?.text)
        let built = try #require(await plane.problem(.undo(request)))
        #expect(built.code == "cannot_undo")
        #expect(built.detail.contains(name))
        try await plane.perform(.undo(name))
        try await plane.perform(
            .create(.subscription), #"{"customer": "acme", "plan": "basic"}"#)
        let used = try #require(await plane.problem(.undo(request)))
        #expect(used.code == "cannot_undo")
        #expect(used.detail.contains("acme:suite"))
    }

    @Test func suspensionsEndByPatchOrDeletion() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let made = try await plane.perform(
            .create(.suspension), #"{"customer": "acme"}"#, reason: "payment failed")
        let id = try #require(made.body["id"]?.text)
        #expect(id.hasPrefix("su_"))
        #expect(made.body["reason"]?.text == "payment failed")
        #expect(plane.right("acme", "tokens") == "suspended")
        plane.advance(seconds: 60)
        try await plane.perform(.delete(.suspension, id))
        #expect(plane.right("acme", "tokens") == "100/month")
        #expect(plane.right("acme", "tokens", at: Harness.start) == "suspended")
    }
}
