import Foundation
import MeteringModel
import MeteringPorts
import SQLCatalog
import SQLClient
import Testing

@Suite("A commit is whole, durable, or not there")
struct CommitTests {
    private let answer = StoredAnswer(
        key: "k", requestDigest: "d", status: 201, body: .object(["id": .string("acme")]),
        entityTag: "1", at: instant)

    @Test func everythingOfACommitComesTogether() throws {
        var fixture = try CatalogFixture()
        let progress = ImportProgress(
            id: "imp_1", state: .running, digest: "d", total: 10, done: 1, created: 1,
            startedAt: instant, updatedAt: instant)
        let commit = ControlCommit(
            base: 0, changes: [customer("acme")], answer: answer, webhook: ("stripe", "evt_1"),
            progress: progress)
        #expect(try fixture.catalog.commit(commit) == 1)
        try fixture.reopen()
        #expect(try fixture.catalog.answer(idempotencyKey: "k") == answer)
        #expect(try fixture.catalog.answer(idempotencyKey: "other") == nil)
        #expect(try fixture.catalog.isWebhookKnown("stripe", "evt_1"))
        #expect(try !fixture.catalog.isWebhookKnown("stripe", "evt_2"))
        #expect(try !fixture.catalog.isWebhookKnown("other", "evt_1"))
        #expect(try fixture.catalog.imports("imp_1") == progress)
        #expect(fixture.catalog.revision == 1)
    }

    @Test func aWebhookEventIsTakenOnce() throws {
        let fixture = try CatalogFixture()
        _ = try fixture.catalog.commit(
            ControlCommit(base: 0, changes: [], webhook: ("stripe", "evt_1")))
        let error = #expect(throws: ControlStoreError.self) {
            try fixture.catalog.commit(
                ControlCommit(
                    base: 0, changes: [customer("acme")], webhook: ("stripe", "evt_1")))
        }
        #expect(error?.code == .conflict)
        #expect(fixture.catalog.revision == 0)
        #expect(try fixture.catalog.record(.customer, "acme") == nil)
    }

    @Test func aFullDiskChangesNothingAndPasses() throws {
        var options = SQLCatalog.Options()
        options.databaseBytesMax = 300_000
        var fixture = try CatalogFixture(options: options)
        try fixture.commit(customer("acme"))
        let big = (0..<2_000).map { customer("c\($0)", ["name": .string("some name or other")]) }
        let error = #expect(throws: ControlStoreError.self) {
            try fixture.catalog.commit(ControlCommit(base: 1, changes: big, answer: answer))
        }
        #expect(error?.code == .full)
        #expect(error?.isRetriable == true)
        #expect(fixture.catalog.revision == 1)
        #expect(try fixture.catalog.count(.customer) == 1)
        #expect(try fixture.catalog.answer(idempotencyKey: "k") == nil)
        // The object goes on, and so does the file once there is room.
        #expect(try fixture.commit(customer("b")) == 2)
        try fixture.reopen()
        #expect(
            try fixture.catalog.commit(ControlCommit(base: 2, changes: big, answer: answer))
                == 2_002)
        guard case .intact(let count, _) = try fixture.catalog.verifyChain() else {
            Issue.record("the chain is broken")
            return
        }
        #expect(count == 2_002)
    }

    /// What a killed process leaves: the files as they are in the middle of a transaction.
    @Test func aCopyTakenAtAnyTimeIsWhole() throws {
        let fixture = try CatalogFixture()
        let copies = try TemporaryDirectory()
        for round in 0..<6 {
            let changes = (0..<50).map { customer("c\(round)-\($0)") }
            _ = try fixture.catalog.commit(ControlCommit(base: Int64(round * 50), changes: changes))
            let copy = copies.file("catalog-\(round).db")
            for suffix in ["", "-wal"] {
                try FileManager.default.copyItem(
                    atPath: fixture.path + suffix, toPath: copy + suffix)
            }
            // The tail of the log torn off: the last commit goes, and goes whole.
            let isTorn = round % 2 == 1
            if isTorn {
                let log = try FileHandle(forWritingTo: URL(fileURLWithPath: copy + "-wal"))
                let size = try log.seekToEnd()
                try log.truncate(atOffset: size - 1_000)
                try log.close()
            }
            let expected = Int64((isTorn ? round : round + 1) * 50)
            let reopened = try SQLCatalog(path: copy)
            #expect(reopened.revision == expected)
            guard case .intact(let count, _) = try reopened.verifyChain() else {
                Issue.record("the chain is broken")
                return
            }
            #expect(count == expected)
            #expect(try reopened.count(.customer) == Int(expected))
            reopened.close()
        }
    }

    @Test func openingAndMigratingIsIdempotent() throws {
        var fixture = try CatalogFixture()
        try fixture.commit(customer("acme"))
        for _ in 0..<3 {
            try fixture.reopen()
            #expect(fixture.catalog.revision == 1)
        }
        let error = #expect(throws: ControlStoreError.self) {
            _ = try SQLCatalog(path: fixture.path)
        }
        #expect(error?.code == .busy)

        // A reader beside the writer sees commits, and may not write.
        var readOnly = SQLCatalog.Options()
        readOnly.isReadOnly = true
        let reader = try SQLCatalog(path: fixture.path, options: readOnly)
        try fixture.commit(customer("b"))
        #expect(try reader.record(.customer, "b")?.revision == 2)
        let refused = #expect(throws: ControlStoreError.self) {
            try reader.commit(ControlCommit(base: 2, changes: []))
        }
        #expect(refused?.code == .unavailable)
        reader.close()
    }

    @Test func otherFilesAreRefused() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("catalog.db")
        try Data(repeating: 7, count: 8_192).write(to: URL(fileURLWithPath: path))
        let damaged = #expect(throws: ControlStoreError.self) { _ = try SQLCatalog(path: path) }
        #expect(damaged?.code == .corrupt)

        let missing = #expect(throws: ControlStoreError.self) {
            try SQLCatalog.verify(path: directory.file("none.db"))
        }
        #expect(missing?.code == .unavailable)

        let fixture = try CatalogFixture()
        fixture.catalog.close()
        try fixture.tamper("UPDATE schema_version SET version = 99")
        let newer = #expect(throws: ControlStoreError.self) {
            _ = try SQLCatalog(path: fixture.path)
        }
        #expect(newer?.code == .misconfigured)
    }

    @Test func afterClosingNothingAnswers() throws {
        let fixture = try CatalogFixture()
        fixture.catalog.close()
        fixture.catalog.close()
        let reading = #expect(throws: ControlStoreError.self) {
            try fixture.catalog.record(.customer, "a")
        }
        #expect(reading?.code == .unavailable)
        let writing = #expect(throws: ControlStoreError.self) {
            try fixture.commit(customer("a"))
        }
        #expect(writing?.code == .unavailable)
    }
}
