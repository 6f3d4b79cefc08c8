import Entitlements
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Testing

@Suite("Queries")
struct QueryTests {
    @Test func listsComeInPages() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        let ids = ["Zoë", "acme", "b", "zoo", "é"]
        for id in ids { try await plane.perform(.create(.customer), #"{"id": "\#(id)"}"#) }
        try await plane.perform(.create(.customer), #"{"id": "gone"}"#)
        plane.advance(seconds: 1)
        try await plane.perform(.delete(.customer, "gone"))
        var seen: [String] = []
        var cursor: String?
        repeat {
            let page = try await plane.read(.list(.customer), cursor: cursor, limit: 2)
            seen += (page.body["items"]?.elements ?? []).compactMap { $0["id"]?.text }
            cursor = page.body["next"]?.text
        } while cursor != nil
        #expect(seen == ids)
        let plans = try await plane.read(.list(.plan))
        #expect(plans.body["items"]?.elements?.first?["version"]?.integer == 1)
        for (cursor, limit, code) in [("?", 10, "invalid_cursor"), (nil, 0, "invalid_limit")] {
            await #expect(throws: ControlProblem.self, "\(code)") {
                try await plane.read(.list(.customer), cursor: cursor, limit: limit)
            }
        }
    }

    @Test func showsTheLogWithItsHashes() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let all = try await plane.read(.audit(AuditFilter()))
        let rows = try #require(all.body["items"]?.elements)
        #expect(rows.count == Int(plane.store.revision))
        #expect(rows[1]["prev_hash"] == rows[0]["hash"])
        #expect(rows[0]["hash"]?.text?.count == 64)
        let page = try await plane.read(.audit(AuditFilter(customer: "acme")), limit: 1)
        let rest = try await plane.read(
            .audit(AuditFilter(customer: "acme")), cursor: page.body["next"]?.text)
        #expect(rest.body["items"]?.elements?.count == 1)
        let request = try #require(rest.body["items"]?.elements?.first?["request_id"]?.text)
        let change = try await plane.read(.request(request))
        #expect(change.body["items"]?.elements?.first?["kind"]?.text == "subscription")
        await #expect(throws: ControlProblem.self) {
            try await plane.read(.request("nothing"))
        }
    }

    @Test func aBoundKeySeesItsTreeOnly() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        try await plane.makeCustomer("other")
        try await plane.perform(.create(.customer), #"{"id": "child", "parent": "acme"}"#)
        let bound = Principal(id: "key_1", scopes: [.writeLimits, .readUsage], customer: "acme")
        let list = try await plane.read(.list(.customer), by: bound)
        #expect(
            list.body["items"]?.elements?.compactMap { $0["id"]?.text } == ["acme", "child"])
        let subscriptions = try await plane.read(.list(.subscription), by: bound)
        #expect(subscriptions.body["items"]?.elements?.count == 1)
        #expect(try await plane.read(.record(.customer, "child"), by: bound).status == 200)
        await #expect(throws: ControlProblem.self) {
            try await plane.read(.record(.customer, "other"), by: bound)
        }
        await #expect(throws: ControlProblem.self) {
            try await plane.read(.list(.subscription), customer: "other", by: bound)
        }
        let audit = try await plane.read(.audit(AuditFilter()), by: bound)
        #expect(
            audit.body["items"]?.elements?.allSatisfy { $0["customer"]?.text == "acme" } == true)

        let refused: [(ControlCommand.Operation, String)] = [
            (.patch(.customer, "other"), #"{"name": "x"}"#),
            (.patch(.customer, "acme"), #"{"parent": "other"}"#),
            (.patch(.customer, "child"), #"{"parent": null}"#),
            (.put(.customer, "child"), #"{"name": "x"}"#),
            (.create(.customer), #"{"id": "new"}"#),
            (.create(.customer), #"{"id": "new", "parent": "other"}"#),
            (.create(.override), #"{"customer": "other", "feature": "sso", "value": true, "reason": "r"}"#),
            (.patch(.subscription, "other:suite"), #"{"plan": "pro"}"#),
            (.patch(.subscription, "other:suite"), #"{"customer": "acme"}"#),
            (.delete(.subscription, "other:suite"), "{}"),
            (.create(.plan), #"{"key": "mine", "entitlements": {}}"#),
            (.revoke, #"{"account_id": "other", "product": "suite", "reason": "r"}"#),
            (.migrate("basic"), "{}"), (.assignSeat("other", "seats"), #"{"holder": "u"}"#),
            (.mintToken("other"), "{}"), (.rotateSigningKey, "{}"), (.createKey, "{}"),
            (.undo("req-12-13"), "{}"),
        ]
        for (operation, body) in refused {
            let problem = await plane.problem(operation, body, by: bound)
            #expect(problem?.code == "outside_tree", "\(operation)")
        }
        try await plane.perform(
            .create(.customer), #"{"id": "grandchild", "parent": "child"}"#, by: bound)
        try await plane.perform(.patch(.customer, "child"), #"{"name": "C"}"#, by: bound)
        try await plane.perform(
            .assignSeat("child", "seats"), #"{"holder": "u"}"#, by: bound)
    }
}
