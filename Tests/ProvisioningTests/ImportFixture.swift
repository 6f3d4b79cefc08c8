import MeteringModel
import MeteringPorts
import Synchronization

@testable import Provisioning

extension IntakeFixture {
    func bulk(_ size: Int = 1_000) -> BulkImport {
        BulkImport(engine: engine, customersPerChunk: size)
    }

    @discardableResult
    func load(
        _ lines: [String], id: String = "im_1", chunk: Int = 1_000, dryRun: Bool = false,
        expected: Int? = nil
    ) async throws -> JSONValue {
        var context = context("request of \(id)", isDryRun: dryRun)
        context.expectedCount = expected
        return try await bulk(chunk).run(
            Array(lines.joined(separator: "\n").utf8), ImportOptions(id: id), context
        ).body
    }

    func rollBack(_ id: String, chunk: Int = 1_000) async throws -> JSONValue {
        try await bulk(chunk).rollBack(id, context()).body
    }

    /// What a refused import says.
    func refusal(_ body: () async throws -> Void) async throws -> ControlProblem? {
        do {
            try await body()
            return nil
        } catch let problem as ControlProblem {
            return problem
        }
    }

    static func customer(_ number: Int, plan: String = "starter") -> String {
        """
        {"id": "c\(number)", "name": "Customer \(number)", "subjects": ["key_\(number)"], \
        "subscription": {"plan": "\(plan)", "start": "2026-01-01", "seats": {"seats": \(number % 50)}}}
        """
    }
}

/// A store that fails at every commit but the n-th, so that work is interrupted after each chunk.
final class FlakyStore: ControlStore {
    private let inner: any ControlStore
    private let allowed = Mutex(Int.max)

    init(_ inner: any ControlStore) { self.inner = inner }

    /// Commits that still succeed; the one after them fails.
    func allow(_ count: Int) { allowed.withLock { $0 = count } }

    var revision: Int64 { inner.revision }
    func commit(_ commit: ControlCommit) throws(ControlStoreError) -> Int64 {
        let isAllowed = allowed.withLock { count in
            if count == 0 { return false }
            count -= 1
            return true
        }
        guard isAllowed else {
            throw ControlStoreError(code: .full, message: "the disk is full")
        }
        return try inner.commit(commit)
    }
    func record(_ kind: RecordKind, _ id: String) throws(ControlStoreError) -> RecordHistory? {
        try inner.record(kind, id)
    }
    func records(
        _ kind: RecordKind, customer: CustomerID?, after: String?, limit: Int
    ) throws(ControlStoreError) -> [RecordHistory] {
        try inner.records(kind, customer: customer, after: after, limit: limit)
    }
    func contract(of customer: CustomerID) throws(ControlStoreError) -> [RecordHistory] {
        try inner.contract(of: customer)
    }
    func scanContracts(
        _ body: (CustomerID, [RecordHistory]) -> Void
    ) throws(ControlStoreError) { try inner.scanContracts(body) }
    func customer(externalSystem: String, name: String) throws(ControlStoreError) -> CustomerID? {
        try inner.customer(externalSystem: externalSystem, name: name)
    }
    func customer(ofSubject subject: SubjectID) throws(ControlStoreError) -> CustomerID? {
        try inner.customer(ofSubject: subject)
    }
    func children(of customer: CustomerID) throws(ControlStoreError) -> [CustomerID] {
        try inner.children(of: customer)
    }
    func subscriptions(
        plan: PlanKey, version: Int?, after: String?, limit: Int
    ) throws(ControlStoreError) -> [RecordHistory] {
        try inner.subscriptions(plan: plan, version: version, after: after, limit: limit)
    }
    func count(_ kind: RecordKind) throws(ControlStoreError) -> Int { try inner.count(kind) }
    func changes(
        _ filter: AuditFilter, after sequence: Int64, limit: Int
    ) throws(ControlStoreError) -> [AuditRow] {
        try inner.changes(filter, after: sequence, limit: limit)
    }
    func verifyChain() throws(ControlStoreError) -> ChainVerdict { try inner.verifyChain() }
    func answer(idempotencyKey: String) throws(ControlStoreError) -> StoredAnswer? {
        try inner.answer(idempotencyKey: idempotencyKey)
    }
    func prune(now: Timestamp) throws(ControlStoreError) { try inner.prune(now: now) }
    func isWebhookKnown(_ source: String, _ id: String) throws(ControlStoreError) -> Bool {
        try inner.isWebhookKnown(source, id)
    }
    func imports(_ id: String) throws(ControlStoreError) -> ImportProgress? {
        try inner.imports(id)
    }
    func putImport(_ progress: ImportProgress) throws(ControlStoreError) {
        try inner.putImport(progress)
    }
    func accessKeys() throws(ControlStoreError) -> [StoredAccessKey] { try inner.accessKeys() }
    func putAccessKey(_ key: StoredAccessKey) throws(ControlStoreError) {
        try inner.putAccessKey(key)
    }
    func seatSessions() throws(ControlStoreError) -> [SeatSession] { try inner.seatSessions() }
    func putSeatSession(_ session: SeatSession) throws(ControlStoreError) {
        try inner.putSeatSession(session)
    }
    func removeSeatSession(
        _ customer: CustomerID, _ feature: FeatureKey, _ holder: String
    ) throws(ControlStoreError) { try inner.removeSeatSession(customer, feature, holder) }
    func setting(_ name: String) throws(ControlStoreError) -> JSONValue? {
        try inner.setting(name)
    }
    func setSetting(_ name: String, _ value: JSONValue) throws(ControlStoreError) {
        try inner.setSetting(name, value)
    }
}
