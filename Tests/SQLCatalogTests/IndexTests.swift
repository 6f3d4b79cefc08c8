import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@Suite("Names inside documents lead to their records")
struct IndexTests {
    private func profile(_ text: String) throws -> [String: JSONValue] {
        try #require(try json(text).object)
    }

    private func patch(_ id: String, _ text: String) throws -> ControlChange {
        change(.customer, id, try json(text), customer: CustomerID(id), action: .update)
    }

    @Test func subjectsFollowTheLatestDocument() throws {
        let fixture = try CatalogFixture()
        try fixture.commit(
            customer("a", try profile(#"{"subjects":["k1",{"id":"k2","environment":"test"}]}"#)))
        #expect(try fixture.catalog.customer(ofSubject: "k1") == "a")
        #expect(try fixture.catalog.customer(ofSubject: "k2") == "a")
        // Passed on in one commit, in the order that takes before it gives up.
        try fixture.commit(
            customer("b", try profile(#"{"subjects":["k1"]}"#)),
            try patch("a", #"{"subjects":["k2","k3"]}"#))
        #expect(try fixture.catalog.customer(ofSubject: "k1") == "b")
        #expect(try fixture.catalog.customer(ofSubject: "k3") == "a")
        try fixture.commit(
            change(.customer, "a", .null, customer: "a", action: .delete, effectiveAt: instant))
        #expect(try fixture.catalog.customer(ofSubject: "k2") == nil)
        #expect(try fixture.catalog.customer(ofSubject: "k1") == "b")
        try fixture.commit(
            change(.customer, "a", .null, customer: "a", action: .undo, undoes: 4))
        #expect(try fixture.catalog.customer(ofSubject: "k2") == "a")
    }

    @Test func externalIDsAreRenamedAndRemoved() throws {
        let fixture = try CatalogFixture()
        try fixture.commit(
            customer("a", try profile(#"{"external_ids":{"stripe":"cus_1","crm":"7"}}"#)))
        #expect(try fixture.catalog.customer(externalSystem: "stripe", name: "cus_1") == "a")
        try fixture.commit(try patch("a", #"{"external_ids":{"stripe":"cus_2","crm":null}}"#))
        #expect(try fixture.catalog.customer(externalSystem: "stripe", name: "cus_1") == nil)
        #expect(try fixture.catalog.customer(externalSystem: "stripe", name: "cus_2") == "a")
        #expect(try fixture.catalog.customer(externalSystem: "crm", name: "7") == nil)
        // One name in two systems is two names.
        try fixture.commit(customer("b", try profile(#"{"external_ids":{"crm":"cus_2"}}"#)))
        #expect(try fixture.catalog.customer(externalSystem: "stripe", name: "cus_2") == "a")
        #expect(try fixture.catalog.customer(externalSystem: "crm", name: "cus_2") == "b")
    }

    @Test func childrenMove() throws {
        let fixture = try CatalogFixture()
        try fixture.commit(
            customer("root"), customer("other"), customer("y", try profile(#"{"parent":"root"}"#)),
            customer("x", try profile(#"{"parent":"root"}"#)))
        #expect(try fixture.catalog.children(of: "root") == ["x", "y"])
        try fixture.commit(try patch("x", #"{"parent":"other"}"#))
        #expect(try fixture.catalog.children(of: "root") == ["y"])
        #expect(try fixture.catalog.children(of: "other") == ["x"])
        try fixture.commit(try patch("x", #"{"parent":null}"#))
        #expect(try fixture.catalog.children(of: "other").isEmpty)
    }

    @Test func subscriptionsAreFoundByPlan() throws {
        let fixture = try CatalogFixture()
        for index in 0..<9 {
            try fixture.commit(
                subscription(
                    "s\(index)", of: "a", plan: index < 6 ? "pro" : "free", version: index % 2 + 1))
        }
        let catalog = fixture.catalog
        func ids(_ plan: PlanKey, _ version: Int?, after: String? = nil) throws -> [String] {
            try catalog.subscriptions(plan: plan, version: version, after: after, limit: 4).map(
                \.id)
        }
        #expect(try ids("pro", nil) == ["s0", "s1", "s2", "s3"])
        #expect(try ids("pro", nil, after: "s3") == ["s4", "s5"])
        #expect(try ids("pro", 2) == ["s1", "s3", "s5"])
        try fixture.commit(
            change(
                .subscription, "s1", try json(#"{"plan":"free","version":2}"#), customer: "a",
                action: .update),
            change(
                .subscription, "s3", try json(#"{"version":3}"#), customer: "a", action: .update),
            change(.subscription, "s5", .null, customer: "a", action: .delete))
        #expect(try ids("pro", 2).isEmpty)
        #expect(try ids("pro", 3) == ["s3"])
        #expect(try ids("free", 2) == ["s1", "s7"])
        let found = try fixture.catalog.subscriptions(plan: "pro", version: 3, after: nil, limit: 1)
        #expect(found.first?.customer == "a")
        #expect(found.first?.latest?["plan"]?.text == "pro")
    }
}
