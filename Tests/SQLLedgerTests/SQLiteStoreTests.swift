import MeteringPorts
import SQLClient
import Testing

@Suite("A store in a SQLite file")
struct SQLiteStoreTests {
    /// What a store of the domain would make of the driver's errors.
    private struct Failure: Error {
        var code: SQLError.Code
        var message: String
    }

    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func file(
        _ synchronous: SQLConnection.Options.Synchronous = .full, version: Int = 1
    ) -> SQLiteFile {
        let create = ["CREATE TABLE t (a INTEGER UNIQUE) STRICT"]
        return SQLiteFile(
            path: directory.file("a.db"),
            schema: SQLSchema(
                name: "the store", migrations: [create] + .init(repeating: [], count: version - 1)),
            lock: "a.lock", synchronous: synchronous)
    }

    private func open(_ file: SQLiteFile) throws(Failure) -> SQLiteStore<Failure> {
        try SQLiteStore(file) { Failure(code: $0.code, message: $0.message) }
    }

    private func failure(_ body: () throws(Failure) -> Void) -> Failure? {
        do {
            try body()
            Issue.record("no error was thrown")
            return nil
        } catch {
            return error
        }
    }

    private func count(_ store: SQLiteStore<Failure>) throws(Failure) -> Int64? {
        try store.read { (connection) throws(SQLError) in
            try connection.integer("SELECT count(*) FROM t")
        }
    }

    private func insert(_ value: Int, _ store: SQLiteStore<Failure>) throws(Failure) {
        try store.write { (connection) throws(SQLError) in
            try connection.execute("INSERT INTO t VALUES (\(value))")
        }
    }

    @Test func whatAWriteLeftBehindIsReadAndStays() throws {
        var store = try open(file())
        try insert(1, store)
        #expect(try count(store) == 1)
        store.close()
        store = try open(file())
        #expect(try count(store) == 1)
    }

    @Test func aFailedWriteLeavesNothingAndKeepsItsError() throws {
        let store = try open(file())
        let twice = failure { () throws(Failure) in
            try store.write { (connection) throws(SQLError) in
                try connection.execute("INSERT INTO t VALUES (1)")
                try connection.execute("INSERT INTO t VALUES (1)")
            }
        }
        #expect(twice?.code == .constraint)
        let own = failure { () throws(Failure) in
            try store.transaction { (connection) throws(Failure) in
                do throws(SQLError) {
                    try connection.execute("INSERT INTO t VALUES (1)")
                } catch {
                    Issue.record(error)
                }
                throw Failure(code: .other, message: "no")
            }
        }
        #expect(own?.message == "no")
        #expect(try count(store) == 0)
        try insert(1, store)
        #expect(try count(store) == 1)
    }

    @Test func aWriteIsAsDurableAsItAsks() throws {
        for (own, other) in [
            (SQLConnection.Options.Synchronous.full, SQLConnection.Options.Synchronous.normal),
            (.normal, .full),
        ] {
            let store = try open(file(own))
            defer { store.close() }
            let level = { (asked: SQLConnection.Options.Synchronous?) throws(Failure) in
                try store.write(asked) { (connection) throws(SQLError) in
                    try connection.integer("PRAGMA synchronous")
                }
            }
            let levels: [SQLConnection.Options.Synchronous: Int64] = [.normal: 1, .full: 2]
            #expect(try level(nil) == levels[own])
            #expect(try level(other) == levels[other])
            #expect(try level(nil) == levels[own])
        }
    }

    @Test func aConnectionThatCannotGoBackToFsyncingIsClosed() throws {
        let store = try open(file())
        let left = failure { () throws(Failure) in
            try store.withWriter { (connection) throws(Failure) in
                do throws(SQLError) {
                    // The level cannot be changed inside a transaction, which this leaves open.
                    try connection.withSynchronous(.normal) { () throws(SQLError) in
                        try connection.execute("BEGIN")
                    }
                } catch {
                    Issue.record(error)
                }
            }
            try insert(1, store)
        }
        #expect(left?.code == .misuse)
    }

    @Test func oneHolderWritesAndOthersReadBesideIt() throws {
        let store = try open(file())
        #expect(failure { () throws(Failure) in _ = try open(file()) }?.code == .busy)
        var forReading = file()
        forReading.isReadOnly = true
        let reader = try open(forReading)
        try insert(1, store)
        #expect(try count(reader) == 1)
        let refused = failure { () throws(Failure) in try insert(2, reader) }
        #expect(refused?.code == .closed)
        #expect(refused?.message.hasSuffix("was opened for reading") == true)
    }

    @Test func aReadOfSeveralStatementsSeesOneState() throws {
        let store = try open(file())
        let counts = try store.readTogether { (connection) throws(SQLError) in
            let before = try connection.integer("SELECT count(*) FROM t")
            do throws(Failure) { try insert(1, store) } catch { Issue.record(error) }
            return [before, try connection.integer("SELECT count(*) FROM t")]
        }
        #expect(counts == [0, 0])
        #expect(try count(store) == 1)
    }

    @Test func aForeignLockIsBusyAfterTheTimeGiven() throws {
        var patient = file()
        patient.busyTimeoutMilliseconds = 1
        let store = try open(patient)
        let other = try SQLConnection(path: patient.path, options: .init(synchronous: .normal))
        try other.transaction { () throws(SQLError) in
            #expect(failure { () throws(Failure) in try insert(1, store) }?.code == .busy)
        }
        try insert(1, store)
    }

    @Test func theFilesBoundHolds() throws {
        var small = file()
        small.databaseBytesMax = 40_000
        let store = try open(small)
        let full = failure { () throws(Failure) in
            try store.write { (connection) throws(SQLError) in
                for value in 0..<10_000 {
                    try connection.execute("INSERT INTO t VALUES (\(value))")
                }
            }
        }
        #expect(full?.code == .full)
        try insert(1, store)
        #expect(try count(store) == 1)
    }

    @Test func aClosedStoreSaysSoAndFreesTheLock() throws {
        let store = try open(file())
        store.close()
        store.close()
        let read = failure { () throws(Failure) in _ = try count(store) }
        let write = failure { () throws(Failure) in try insert(1, store) }
        for error in [read, write] {
            #expect(error?.code == .closed)
            #expect(error?.message == "\(directory.file("a.db")) is closed")
        }
        try insert(1, try open(file()))
    }

    @Test func otherVersionsOfTheSchemaAreToldApart() throws {
        try open(file()).close()
        var forReading = file(version: 2)
        forReading.isReadOnly = true
        let older = failure { () throws(Failure) in _ = try open(forReading) }
        #expect(older?.message.contains("start the service once") == true)
        try open(file(version: 2)).close()
        let newer = failure { () throws(Failure) in _ = try open(file()) }
        #expect(newer?.code == .readOnly)
        #expect(newer?.message.contains("run the newer program") == true)
    }
}

@Suite("What the driver's errors mean for a store")
struct SQLFaultTests {
    private func fault(_ code: SQLError.Code, sql: String? = "SELECT 1") -> SQLFault {
        SQLFault(
            SQLError(code: code, rawCode: 0, message: "told", sql: sql), owner: "Billing",
            file: "billing.db")
    }

    @Test func everyCodeHasItsMeaning() {
        let kinds: [(SQLError.Code, SQLFault.Kind, Bool)] = [
            (.full, .full, true), (.busy, .busy, true), (.constraint, .corrupt, false),
            (.outOfRange, .corrupt, false), (.corrupt, .corrupt, false),
            (.ioError, .unavailable, true), (.cannotOpen, .unavailable, false),
            (.readOnly, .misconfigured, false), (.closed, .unavailable, false),
            (.misuse, .unavailable, false), (.other, .unavailable, false),
        ]
        for (code, kind, isRetriable) in kinds {
            let fault = fault(code)
            #expect(fault.kind == kind && fault.isRetriable == isRetriable)
            #expect(fault.message.contains("told"))
        }
    }

    @Test func everyKindIsACodeOfEveryStore() {
        for kind in SQLFault.Kind.allCases {
            #expect(LedgerError.Code(rawValue: kind.rawValue) != nil)
            #expect(ControlStoreError.Code(rawValue: kind.rawValue) != nil)
            #expect(BillingStoreError.Code(rawValue: kind.rawValue) != nil)
        }
    }

    @Test func aMessageThatSaysItAllStaysAlone() {
        #expect(fault(.busy, sql: nil).message == "told")
        #expect(fault(.closed, sql: nil).message == "told")
    }

    @Test func aDamagedFileIsRestoredUnlessSomethingElseHelps() {
        #expect(fault(.corrupt).message.hasPrefix("billing.db is damaged: restore it"))
        let error = SQLError(code: .corrupt, rawCode: 0, message: "told")
        let other = SQLFault(error, owner: "The ledger", file: "ledger.db", remedy: "rebuild it")
        #expect(other.message.hasPrefix("ledger.db is damaged: rebuild it. told"))
    }
}
