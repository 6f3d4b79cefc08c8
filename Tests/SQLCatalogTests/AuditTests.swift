import Foundation
import MeteringModel
import MeteringPorts
import SQLCatalog
import SQLClient
import Testing

@Suite("The audit log")
struct AuditTests {
    @Test func filtersAndPages() throws {
        let fixture = try CatalogFixture()
        for index in 0..<40 {
            try fixture.commit(
                change(
                    index % 2 == 0 ? .grant : .override, "r\(index % 4)", .object([:]),
                    customer: index % 5 == 0 ? "five" : nil,
                    at: instant.adding(seconds: Int64(index)), actor: "key_\(index % 3)",
                    request: "req_\(index / 10)"))
        }
        let catalog = fixture.catalog
        func found(_ filter: AuditFilter, after: Int64 = 0, limit: Int = 100) throws -> [Int64] {
            try catalog.changes(filter, after: after, limit: limit).map(\.change.sequence)
        }
        func matching(_ test: (Int64) -> Bool) -> [Int64] { (1...40).filter { test($0 - 1) } }

        #expect(try found(AuditFilter()) == matching { _ in true })
        #expect(try found(AuditFilter(), after: 10, limit: 3) == [11, 12, 13])
        #expect(try found(AuditFilter(customer: "five")) == matching { $0 % 5 == 0 })
        #expect(try found(AuditFilter(kind: .grant)) == matching { $0 % 2 == 0 })
        #expect(try found(AuditFilter(kind: .grant, id: "r2")) == matching { $0 % 4 == 2 })
        #expect(try found(AuditFilter(actor: "key_1")) == matching { $0 % 3 == 1 })
        #expect(try found(AuditFilter(requestID: "req_3")) == matching { $0 >= 30 })
        let from = instant.adding(seconds: 7)
        let to = instant.adding(seconds: 12)
        #expect(try found(AuditFilter(from: from)) == matching { $0 >= 7 })
        #expect(try found(AuditFilter(to: to)) == matching { $0 < 12 })
        #expect(
            try found(AuditFilter(actor: "key_0", from: from, to: to))
                == matching { $0 % 3 == 0 && (7..<12).contains($0) })
        #expect(try found(AuditFilter(from: instant.adding(seconds: 99))).isEmpty)
    }

    /// The importer writes the document by hand; this holds it to the model's own.
    @Test func theStoredTextIsTheCanonicalDocument() throws {
        let fixture = try CatalogFixture()
        var random = RandomChanges(seed: 11)
        var changes = (0..<200).map { _ in random.next() }
        changes[150].effectiveAt = .distantFuture
        changes[151].effectiveAt = Timestamp(microseconds: instant.microseconds + 1)
        _ = try fixture.catalog.commit(ControlCommit(base: 0, changes: changes))
        let connection = try SQLConnection(
            path: fixture.path, options: .init(synchronous: .normal, isReadOnly: true))
        defer { connection.close() }
        let query = try connection.statement("SELECT document FROM changes ORDER BY seq")
        for change in changes {
            #expect(try query.step())
            #expect(query.string(at: 0) == change.document.canonicalText)
        }
        let rows = try fixture.catalog.changes(AuditFilter(), after: 0, limit: 500)
        #expect(rows.map(\.change) == changes)
    }
}

@Suite("Nothing is changed behind the chain's back")
struct TamperTests {
    private func sample() throws -> CatalogFixture {
        let fixture = try CatalogFixture()
        var random = RandomChanges(seed: 5)
        let changes = (0..<60).map { _ in random.next() }
        _ = try fixture.catalog.commit(ControlCommit(base: 0, changes: changes))
        return fixture
    }

    private func broken(_ fixture: CatalogFixture) throws -> Int64? {
        let verdict = try SQLCatalog.verify(path: fixture.path)
        #expect(try fixture.catalog.verifyChain() == verdict)
        guard case .broken(let sequence, let reason) = verdict else { return nil }
        #expect(!reason.isEmpty)
        return sequence
    }

    /// One byte of one column of one row, at random; each with its sequence.
    @Test(
        arguments: [
            "at", "kind", "id", "customer", "actor", "request_id", "previous_hash", "hash",
            "document",
        ])
    func aChangedByteOfARowIsFound(column: String) throws {
        let fixture = try sample()
        var numbers = SeededNumbers(seed: 3)
        for _ in 0..<12 {
            let row = Int64.random(in: 1...60, using: &numbers)
            let undo = try flip("changes", column, "seq = \(row)", in: fixture, &numbers)
            #expect(try broken(fixture) == row, "\(column) of row \(row)")
            try undo()
            #expect(try broken(fixture) == nil)
        }
    }

    @Test(arguments: ["customer", "kind", "id", "revision", "is_live", "entries"])
    func aChangedByteOfARecordIsFound(column: String) throws {
        let fixture = try sample()
        var numbers = SeededNumbers(seed: 4)
        let records = try RecordKind.allCases.flatMap {
            try fixture.catalog.records($0, customer: nil, after: nil, limit: 100)
        }
        for _ in 0..<12 {
            let record = try #require(records.randomElement(using: &numbers))
            let place = "revision = \(record.revision)"
            let undo = try flip("records", column, place, in: fixture, &numbers)
            #expect(try broken(fixture) == record.revision, "\(column) of \(record.id)")
            try undo()
            #expect(try broken(fixture) == nil)
        }
    }

    @Test func missingAndAddedRowsAreFound() throws {
        let fixture = try sample()
        try fixture.tamper("UPDATE changes SET seq = 1000 WHERE seq = 17")
        #expect(try broken(fixture) == 17)
        try fixture.tamper("UPDATE changes SET seq = 17 WHERE seq = 1000")
        #expect(try broken(fixture) == nil)

        try fixture.tamper(
            "UPDATE records SET customer = customer, revision = 61, id = 'x'"
                + " WHERE revision = 60")
        #expect(try broken(fixture) == 60)
    }

    @Test func aCutTailIsFound() throws {
        let fixture = try sample()
        try fixture.tamper("DELETE FROM changes WHERE seq = 60")
        // The record is ahead of its changes; the fault is at what they make of it.
        let sequence = try #require(try broken(fixture))
        #expect(sequence <= 60)
    }

    @Test func aRemovedRecordIsFound() throws {
        let fixture = try sample()
        let record = try #require(
            try fixture.catalog.records(.customer, customer: nil, after: nil, limit: 1).first)
        try fixture.tamper("DELETE FROM records WHERE revision = \(record.revision)")
        #expect(try broken(fixture) == record.revision)
    }

    /// Bits of the file itself: found, or of no consequence to any row or filter.
    @Test func changedBytesOfTheFileAreFoundOrChangeNothing() throws {
        let fixture = try sample()
        // Closed, so that all of it is in one file.
        fixture.catalog.close()
        let whole = try Data(contentsOf: URL(fileURLWithPath: fixture.path))
        let expected = try content(fixture.path)
        let directory = try TemporaryDirectory()
        let path = directory.file("copy.db")
        var numbers = SeededNumbers(seed: 8)
        var found = 0
        for _ in 0..<150 {
            var bytes = whole
            bytes[Int.random(in: 0..<bytes.count, using: &numbers)] ^=
                1 << UInt8.random(in: 0..<8, using: &numbers)
            for suffix in ["-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: path + suffix)
            }
            try bytes.write(to: URL(fileURLWithPath: path))
            guard let verdict = try? SQLCatalog.verify(path: path), case .intact = verdict else {
                found += 1
                continue
            }
            #expect(try content(path) == expected)
        }
        #expect(found > 30)
    }

    /// Rows, and what each filter finds of them.
    private func content(_ path: String) throws -> [String] {
        var options = SQLCatalog.Options()
        options.isReadOnly = true
        let catalog = try SQLCatalog(path: path, options: options)
        defer { catalog.close() }
        let filters = [
            AuditFilter(), AuditFilter(customer: "c1"), AuditFilter(kind: .grant),
            AuditFilter(actor: "key_1"), AuditFilter(requestID: "req_3"),
            AuditFilter(from: instant),
        ]
        let rows = try filters.flatMap { try catalog.changes($0, after: 0, limit: 100) }
        let records = try RecordKind.allCases.flatMap {
            try catalog.records($0, customer: nil, after: nil, limit: 100)
        }
        let texts = records.map { record in
            let entries = record.entries.map {
                "\($0.sequence) \($0.effectiveAt) \($0.patch.canonicalText)"
            }
            return
                "\(record.kind) \(record.id) \(record.customer ?? "") \(record.revision) \(entries)"
        }
        return rows.map { $0.change.document.canonicalText } + texts
    }

    @Test func anEmptyLogIsIntact() throws {
        let fixture = try CatalogFixture()
        #expect(
            try fixture.catalog.verifyChain() == .intact(count: 0, head: AuditChain.origin))
    }

    /// Flips a bit of a random byte; the closure puts the old value back.
    private func flip(
        _ table: String, _ column: String, _ place: String, in fixture: CatalogFixture,
        _ numbers: inout SeededNumbers
    ) throws -> () throws -> Void {
        let connection = try SQLConnection(
            path: fixture.path, options: .init(synchronous: .normal))
        defer { connection.close() }
        let read = try connection.statement("SELECT \(column) FROM \(table) WHERE \(place)")
        #expect(try read.step())
        let isNumber = ["at", "revision", "is_live"].contains(column)
        let isText = !isNumber && !column.hasSuffix("hash")
        let number = read.integer(at: 0)
        let old = read.bytes(at: 0)
        read.reset()
        var new = old
        if isNumber {
            new = Array(String(column == "is_live" ? 1 - number : number ^ 1024).utf8)
        } else if new.isEmpty {
            new = [UInt8(ascii: "x")]
        } else {
            new[Int.random(in: 0..<new.count, using: &numbers)] ^=
                1
                << UInt8.random(
                    in: 0..<7, using: &numbers)
        }
        func set(_ bytes: [UInt8], _ place: String) throws -> String {
            if isNumber { return String(decoding: bytes, as: UTF8.self) }
            let hex = bytes.map { byte in
                let digits = String(byte, radix: 16)
                return digits.count == 1 ? "0" + digits : digits
            }.joined()
            return isText ? "CAST(x'\(hex)' AS TEXT)" : "x'\(hex)'"
        }
        let key = table == "changes" ? "seq" : "revision"
        let value = try set(new, place)
        try connection.execute("UPDATE \(table) SET \(column) = \(value) WHERE \(place)")
        let before = isNumber ? String(number) : try set(old, place)
        let backPlace = column == key ? "\(key) = \(number ^ 1024)" : place
        return {
            try fixture.tamper("UPDATE \(table) SET \(column) = \(before) WHERE \(backPlace)")
        }
    }
}
