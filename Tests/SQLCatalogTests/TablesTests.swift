import MeteringModel
import MeteringPorts
import SQLCatalog
import Testing

@Suite("The small tables")
struct TablesTests {
    @Test func keysComeBackAsStored() throws {
        var fixture = try CatalogFixture()
        var first = StoredAccessKey(
            id: "key_1", name: "gateway", digest: [UInt8](repeating: 1, count: 32),
            prefix: "tg_live_ab", lastFour: "wxyz", scopes: [.admin, .writeEvents], customer: nil,
            createdBy: "local", createdAt: instant)
        let second = StoredAccessKey(
            id: "key_0", name: "bound", digest: [UInt8](repeating: 2, count: 32),
            prefix: "tg_live_cd", lastFour: "1234", scopes: [], customer: "acme",
            createdBy: "key_1", createdAt: instant.adding(seconds: 1),
            expiresAt: instant.adding(seconds: 9))
        try fixture.catalog.putAccessKey(second)
        try fixture.catalog.putAccessKey(first)
        #expect(try fixture.catalog.accessKeys() == [first, second])
        first.revokedAt = instant.adding(seconds: 5)
        try fixture.catalog.putAccessKey(first)
        try fixture.reopen()
        #expect(try fixture.catalog.accessKeys() == [first, second])
    }

    @Test func twoKeysOfOneSecretAreRefused() throws {
        let fixture = try CatalogFixture()
        let key = StoredAccessKey(
            id: "key_1", name: "a", digest: [UInt8](repeating: 1, count: 32), prefix: "p",
            lastFour: "l", scopes: [.check], customer: nil, createdBy: "x", createdAt: instant)
        try fixture.catalog.putAccessKey(key)
        var other = key
        other.id = "key_2"
        #expect(throws: ControlStoreError.self) { try fixture.catalog.putAccessKey(other) }
        #expect(try fixture.catalog.accessKeys() == [key])
    }

    @Test func seatSessionsAreRenewedAndRemoved() throws {
        let fixture = try CatalogFixture()
        var session = SeatSession(
            customer: "a", feature: "seats", holder: "u1", expiresAt: instant)
        try fixture.catalog.putSeatSession(session)
        session.expiresAt = instant.adding(seconds: 300)
        try fixture.catalog.putSeatSession(session)
        let other = SeatSession(customer: "a", feature: "seats", holder: "u2", expiresAt: instant)
        try fixture.catalog.putSeatSession(other)
        #expect(try fixture.catalog.seatSessions() == [session, other])
        try fixture.catalog.prune(now: instant)
        #expect(try fixture.catalog.seatSessions() == [session])
        try fixture.catalog.removeSeatSession("a", "seats", "u1")
        #expect(try fixture.catalog.seatSessions().isEmpty)
    }

    @Test func settingsAndImportsAreReplaced() throws {
        var fixture = try CatalogFixture()
        #expect(try fixture.catalog.setting("x") == nil)
        try fixture.catalog.setSetting("x", .array([.number("1.50"), .null]))
        try fixture.reopen()
        #expect(try fixture.catalog.setting("x") == .array([.number("1.50"), .null]))
        try fixture.catalog.setSetting("x", .bool(true))
        #expect(try fixture.catalog.setting("x") == .bool(true))

        var progress = ImportProgress(
            id: "i", state: .running, digest: "d", total: 5, startedAt: instant,
            updatedAt: instant)
        try fixture.catalog.putImport(progress)
        progress.state = .rolledBack
        progress.done = 5
        progress.unchanged = 2
        try fixture.catalog.putImport(progress)
        #expect(try fixture.catalog.imports("i") == progress)
        #expect(try fixture.catalog.imports("none") == nil)
    }

    @Test func pruningKeepsWhatIsYoung() throws {
        let fixture = try CatalogFixture()
        func answer(_ key: String, _ at: Timestamp) -> StoredAnswer {
            StoredAnswer(
                key: key, requestDigest: "d", status: 200, body: .null, entityTag: nil, at: at)
        }
        let hour: Int64 = 3_600
        _ = try fixture.catalog.commit(
            ControlCommit(
                base: 0, changes: [], answer: answer("old", instant.adding(seconds: -49 * hour)),
                webhook: ("stripe", "e")))
        _ = try fixture.catalog.commit(
            ControlCommit(
                base: 0, changes: [], answer: answer("young", instant.adding(seconds: -47 * hour))))
        try fixture.catalog.prune(now: instant)
        #expect(try fixture.catalog.answer(idempotencyKey: "old") == nil)
        #expect(try fixture.catalog.answer(idempotencyKey: "young") != nil)
        try fixture.catalog.prune(now: instant.adding(seconds: 60 * 24 * hour))
        #expect(try fixture.catalog.isWebhookKnown("stripe", "e"))
        try fixture.catalog.prune(now: instant.adding(seconds: 61 * 24 * hour))
        #expect(try !fixture.catalog.isWebhookKnown("stripe", "e"))
    }
}
