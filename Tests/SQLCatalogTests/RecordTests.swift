import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@Suite("Records are what their changes make of them")
struct RecordTests {
    @Test(arguments: [1, 2, 3] as [UInt64])
    func randomChangesReplay(seed: UInt64) throws {
        var fixture = try CatalogFixture()
        var random = RandomChanges(seed: seed)
        for round in 0..<30 {
            let changes = (0..<7).map { _ in random.next() }
            let revision = try fixture.catalog.commit(
                ControlCommit(base: Int64(round * 7), changes: changes))
            #expect(revision == Int64(round * 7 + 7))
            if round == 15 { try fixture.reopen() }
        }
        #expect(fixture.catalog.revision == 210)
        for (_, expected) in random.histories {
            let stored = try #require(try fixture.catalog.record(expected.kind, expected.id))
            #expect(stored == expected)
        }
        for kind in RecordKind.allCases {
            let live = random.histories.values.filter { $0.kind == kind && $0.latest != nil }
            #expect(try fixture.catalog.count(kind) == live.count)
        }
        let rows = try fixture.catalog.changes(AuditFilter(), after: 0, limit: 1_000)
        #expect(rows.map(\.change) == random.all)
        var head = AuditChain.origin
        for row in rows {
            #expect(row.previousHash == head)
            #expect(row.hash == AuditChain.link(head, row.change))
            head = row.hash
        }
        #expect(try fixture.catalog.verifyChain() == .intact(count: 210, head: head))
        var seen: [[UInt8]] = []
        let verdict = try SQLCatalog.verify(path: fixture.path) { sequence, hash in
            seen.append(hash)
            #expect(sequence == Int64(seen.count))
        }
        #expect(verdict == .intact(count: 210, head: head))
        #expect(seen == rows.map(\.hash))
    }

    @Test func anotherBaseIsAConflict() throws {
        let fixture = try CatalogFixture()
        try fixture.commit(customer("acme"))
        for base in [0, 2, -1] as [Int64] {
            let error = #expect(throws: ControlStoreError.self) {
                try fixture.catalog.commit(
                    ControlCommit(base: base, changes: [customer("other")]))
            }
            #expect(error?.code == .conflict)
        }
        #expect(fixture.catalog.revision == 1)
        #expect(try fixture.catalog.record(.customer, "other") == nil)
    }

    @Test func anUndoTakesAChangeOut() throws {
        let fixture = try CatalogFixture()
        try fixture.commit(customer("acme", ["name": .string("A")]))
        try fixture.commit(
            change(
                .customer, "acme", try json(#"{"name":"B"}"#), customer: "acme", action: .update,
                effectiveAt: instant))
        #expect(try fixture.catalog.record(.customer, "acme")?.latest == json(#"{"name":"B"}"#))
        try fixture.commit(
            change(.customer, "acme", .null, customer: "acme", action: .undo, undoes: 2))
        let record = try #require(try fixture.catalog.record(.customer, "acme"))
        #expect(try record.latest == json(#"{"name":"A"}"#))
        #expect(record.revision == 3)
        #expect(record.entries.map(\.sequence) == [1])
        try fixture.commit(
            change(.customer, "acme", .null, customer: "acme", action: .undo, undoes: 1))
        #expect(try fixture.catalog.record(.customer, "acme")?.latest == nil)
        #expect(try fixture.catalog.count(.customer) == 0)
        guard case .intact = try fixture.catalog.verifyChain() else {
            Issue.record("the chain is broken")
            return
        }
    }

    @Test func contractsComeByCustomer() throws {
        let fixture = try CatalogFixture()
        try fixture.commit(
            change(.plan, "pro", try json(#"{"latest":1}"#)), customer("b"), customer("a"),
            subscription("a:x", of: "a", plan: "pro"), subscription("b:x", of: "b", plan: "pro"),
            change(.override, "ov_1", try json(#"{"feature":"f"}"#), customer: "a"),
            change(.seat, "seat_1", try json(#"{"holder":"u"}"#), customer: "a"))
        #expect(try fixture.catalog.contract(of: "a").map(\.id) == ["a", "ov_1", "a:x"])
        #expect(try fixture.catalog.contract(of: "nobody").isEmpty)
        var scanned: [String] = []
        try fixture.catalog.scanContracts { customer, records in
            scanned.append("\(customer): " + records.map(\.id).joined(separator: " "))
        }
        #expect(scanned == ["a: a ov_1 a:x", "b: b b:x"])
    }

    @Test func aRecordCanMoveToAnotherCustomer() throws {
        let fixture = try CatalogFixture()
        try fixture.commit(customer("a"), customer("b"), subscription("s", of: "a", plan: "pro"))
        try fixture.commit(
            change(.subscription, "s", .object([:]), customer: "b", action: .update))
        #expect(try fixture.catalog.contract(of: "a").map(\.id) == ["a"])
        #expect(try fixture.catalog.contract(of: "b").map(\.id) == ["b", "s"])
        guard case .intact = try fixture.catalog.verifyChain() else {
            Issue.record("the chain is broken")
            return
        }
    }

    @Test func listsArePaged() throws {
        let fixture = try CatalogFixture()
        for index in 0..<25 {
            let owner: CustomerID = index % 5 == 0 ? "five" : "other"
            try fixture.commit(
                change(.grant, "gr_\(index + 10)", .object([:]), customer: owner))
        }
        var seen: [String] = []
        var after: String?
        while true {
            let page = try fixture.catalog.records(.grant, customer: nil, after: after, limit: 7)
            seen += page.map(\.id)
            if page.count < 7 { break }
            after = page.last?.id
        }
        #expect(seen == (10..<35).map { "gr_\($0)" })
        let five = try fixture.catalog.records(.grant, customer: "five", after: "gr_10", limit: 3)
        #expect(five.map(\.id) == ["gr_15", "gr_20", "gr_25"])
        #expect(try fixture.catalog.records(.override, customer: nil, after: nil, limit: 9).isEmpty)
        #expect(try fixture.catalog.records(.grant, customer: nil, after: nil, limit: 0).isEmpty)
    }
}
