import SQLClient
import Synchronization
import Testing

@Suite("The SQLite driver")
struct SQLClientTests {
    private let directory: TemporaryDirectory
    private let connection: SQLConnection

    init() throws {
        directory = try TemporaryDirectory()
        connection = try SQLConnection(
            path: directory.file("a.db"), options: .init(synchronous: .normal))
        try connection.execute("CREATE TABLE t (a INTEGER UNIQUE, b TEXT, c BLOB) STRICT")
    }

    private func error(_ body: () throws(SQLError) -> Void) -> SQLError? {
        do {
            try body()
            Issue.record("no error was thrown")
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: ["", "a", "ä\u{0}ö", String(repeating: "long ", count: 1_000)])
    func valuesComeBackAsBound(text: String) throws {
        let insert = try connection.statement("INSERT INTO t VALUES ($1, $2, $3)")
        try insert.bind(Int64.min, at: 1)
        try insert.bind(text, at: 2)
        try insert.bind(Array(text.utf8), at: 3)
        try insert.run()
        let select = try connection.statement("SELECT a, b, c FROM t")
        #expect(try select.step())
        #expect(select.integer(at: 0) == .min)
        #expect(select.string(at: 1) == text)
        #expect(!select.isNull(at: 1))
        #expect(!select.isNull(at: 2))
        #expect(select.bytes(at: 2) == Array(text.utf8))
        #expect(select.withBytes(at: 2) { $0.byteCount } == text.utf8.count)
        #expect(try !select.step())
    }

    @Test func nullIsToldFromEmpty() throws {
        let insert = try connection.statement("INSERT INTO t VALUES ($1, $2, $3)")
        try insert.bind(nil as Int64?, at: 1)
        try insert.bindNull(at: 2)
        try insert.bind(nil as [UInt8]?, at: 3)
        try insert.run()
        let select = try connection.statement("SELECT a, b, c FROM t")
        #expect(try select.step())
        #expect(select.optionalInteger(at: 0) == nil)
        #expect((0..<3).allSatisfy { select.isNull(at: $0) })
        #expect(select.string(at: 1) == "")
        #expect(select.bytes(at: 2) == [])
        #expect(select.withBytes(at: 2) { $0.byteCount } == 0)
    }

    @Test func aThrowingTransactionIsUndone() throws {
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try connection.transaction(mapping: { _ in Stop() }) { () throws(Stop) in
                do {
                    try connection.execute("INSERT INTO t (a) VALUES (1)")
                } catch {
                    Issue.record(error)
                }
                throw Stop()
            }
        }
        #expect(try connection.integer("SELECT count(*) FROM t") == 0)
        try connection.transaction { () throws(SQLError) in
            try connection.execute("INSERT INTO t (a) VALUES (1)")
        }
        #expect(try connection.integer("SELECT count(*) FROM t") == 1)
    }

    @Test func durabilityIsRaisedForTheBodyOnly() throws {
        let level = { try connection.integer("PRAGMA synchronous") }
        #expect(try level() == 1)
        let inside = try connection.withSynchronous(.full) { () throws(SQLError) in
            try connection.integer("PRAGMA synchronous")
        }
        #expect(inside == 2)
        #expect(try level() == 1)
        _ = error { () throws(SQLError) in
            try connection.withSynchronous(.full) { () throws(SQLError) in
                try connection.execute("SELEC")
            }
        }
        #expect(try level() == 1)
    }

    @Test func errorsSayWhatHappened() throws {
        try connection.execute("INSERT INTO t (a) VALUES (9223372036854775807)")
        let twice = error { () throws(SQLError) in
            try connection.execute("INSERT INTO t (a) VALUES (9223372036854775807)")
        }
        #expect(twice?.code == .constraint)
        #expect(twice?.sql?.contains("INSERT") == true)
        let overflow = error { () throws(SQLError) in
            try connection.execute("UPDATE t SET a = a + 1")
        }
        #expect(overflow?.code == .outOfRange)
        #expect(
            error { () throws(SQLError) in _ = try connection.statement("SELEC") }?.code == .other)
        let range = error { () throws(SQLError) in
            try connection.statement("SELECT 1").bind(1 as Int64, at: 1)
        }
        #expect(range?.code == .misuse)
        let directory = directory.path
        let cannot = error { () throws(SQLError) in
            _ = try SQLConnection(path: directory, options: .init(synchronous: .full))
        }
        #expect(cannot?.code == .cannotOpen)
        #expect(cannot?.message.contains(directory) == true)
    }

    @Test func aWriterThatIsKeptWaitingIsBusy() throws {
        var options = SQLConnection.Options(synchronous: .normal)
        options.busyTimeoutMilliseconds = 1
        let other = try SQLConnection(path: directory.file("a.db"), options: options)
        try connection.transaction { () throws(SQLError) in
            let busy = error { () throws(SQLError) in
                try other.transaction { () throws(SQLError) in }
            }
            #expect(busy?.code == .busy)
        }
        try other.transaction { () throws(SQLError) in }
    }

    @Test func afterCloseEverythingIsMisuse() throws {
        let statement = try connection.statement("SELECT 1")
        connection.close()
        connection.close()
        #expect(error { () throws(SQLError) in _ = try statement.step() }?.code == .misuse)
        #expect(
            error { () throws(SQLError) in try connection.execute("SELECT 1") }?.code == .misuse)
        #expect(connection.changedRows == 0)
    }

    @Test func aDirectoryHasOneHolderPerName() throws {
        let path = directory.path
        var first: DirectoryLock? = try DirectoryLock(path)
        #expect(first != nil)
        let refused = error { () throws(SQLError) in _ = try DirectoryLock(path) }
        #expect(refused?.code == .busy)
        _ = try DirectoryLock(path, file: "another")
        first = nil
        _ = try DirectoryLock(path)
    }
}

@Suite("Threads and monitors")
struct MonitorTests {
    @Test func aWaitEndsWhenItsConditionHolds() throws {
        let monitor = Monitor(0)
        let thread = try OwnedThread(name: "adder") {
            for _ in 0..<10 {
                monitor.withLock { $0 += 1 }
                monitor.wakeAll()
            }
        }
        #expect(monitor.wait { $0 == 10 ? "done" : nil } == "done")
        thread.join()
        thread.join()
    }

    @Test func aWaitEndsWithItsTime() {
        let monitor = Monitor(0)
        #expect(monitor.wait(timeoutMilliseconds: 5) { _ in nil as Int? } == nil)
        #expect(monitor.wait(timeoutMilliseconds: 0) { $0 } == 0)
        #expect(monitor.wait(timeoutMilliseconds: -1) { _ in nil as Int? } == nil)
    }

    @Test func aLockIsGivenUpOnAnError() {
        struct Stop: Error {}
        let monitor = Monitor(1)
        #expect(throws: Stop.self) { try monitor.withLock { (_) throws(Stop) in throw Stop() } }
        #expect(monitor.withLock { $0 } == 1)
    }
}
