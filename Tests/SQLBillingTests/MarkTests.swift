import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

@Suite("Marks in the store") struct MarkTests {
    @Test("a cause that is noted again outlives what was settled before") func again() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        try store.note([mark("acme", "r1")], cursor: ("audit", 5))
        let seen = try store.marks("acme", october)
        try store.note([mark("acme", "r1")], cursor: ("audit", 6))
        try store.settle(
            MonthSettlement(
                customer: "acme", month: october, base: 0, lines: [],
                marks: seen.map(\.sequence)))
        #expect(try store.marks("acme", october).map(\.mark) == [mark("acme", "r1")])
        #expect(try store.cursor("audit") == 6)
        #expect(try store.cursor("unheard of") == 0)
    }

    @Test("marks come when their time has come") func due() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let later = Timestamp(seconds: 2_000)
        try store.note([mark("acme", "late", dueAt: later), mark("acme", "now")], cursor: nil)
        let early = try store.marks(dueBy: Timestamp(seconds: 1_999), limit: 10)
        #expect(early.map(\.mark.cause.id) == ["now"])
        #expect(try store.marks(dueBy: later, limit: 10).count == 2)
        #expect(try store.marks("acme", nil).count == 2)
        #expect(try store.marks("acme", october.next).isEmpty)
    }

    @Test("settling twice from one reading is refused") func conflict() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        try store.note([mark("acme", "r1")], cursor: nil)
        func settlement(_ id: String) throws -> MonthSettlement {
            MonthSettlement(
                customer: "acme", month: october, base: 0,
                lines: [line(id, 5, correcting: october)],
                marks: try store.marks("acme", october).map(\.sequence))
        }
        let second = try settlement("y")
        try store.settle(try settlement("x"))
        try store.note([mark("acme", "r2")], cursor: nil)
        #expect {
            try store.settle(second)
        } throws: { ($0 as? BillingStoreError)?.code == .conflict }
        #expect(try store.pendingLines("acme").map(\.id) == ["x"])
        #expect(try store.marks("acme", october).map(\.mark.cause.id) == ["r2"])
    }

    @Test("one cause for every statement from a month on") func all() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        _ = try store.close([closing("a", october.previous), closing("a"), closing("b")])
        let cause = BillingCause(kind: .contractChange, id: "undo", at: instant)
        try store.noteAll(from: october, cause, cursor: nil)
        let marks = try store.marks(dueBy: instant, limit: 10)
        #expect(Set(marks.map(\.mark.customer)) == ["a", "b"])
        #expect(marks.allSatisfy { $0.mark.month == october && $0.mark.cause == cause })
    }

    @Test("progress and answers are kept") func progress() throws {
        let fixture = try StoreFixture()
        #expect(try fixture.store.closedThrough(zone: "UTC") == nil)
        try fixture.store.setClosedThrough(zone: "UTC", october)
        try fixture.store.setClosedThrough(zone: "UTC", october.next)
        let answer = StoredAnswer(
            key: "k", requestDigest: "d", status: 200, body: .object(["closed": .integer(3)]),
            entityTag: nil, at: instant)
        try fixture.store.putAnswer(answer)
        try fixture.reopen()
        #expect(try fixture.store.closedThrough(zone: "UTC") == october.next)
        #expect(try fixture.store.answer(idempotencyKey: "k") == answer)
        #expect(try fixture.store.answer(idempotencyKey: "other") == nil)
    }
}
