package import MeteringModel

/// Where the control plane's records live, with the hash-chained log of their changes. One writer
/// at a time; reads from any thread.
package protocol ControlStore: AnyObject, Sendable {
    /// Sequence of the last change; 0 in an empty store.
    var revision: Int64 { get }

    /// Appends the changes, brings the records level with them, extends the hash chain and stores
    /// the answer under its idempotency key: in one transaction, durable when this returns.
    /// - Returns: the revision afterwards. The changes got the sequences before it, in order.
    /// - Throws: `.conflict` when the store's revision is not the commit's base.
    func commit(_ commit: ControlCommit) throws(ControlStoreError) -> Int64

    // MARK: records

    func record(_ kind: RecordKind, _ id: String) throws(ControlStoreError) -> RecordHistory?
    /// Records of one kind in the order of their ids, after `after`; `customer` narrows.
    func records(
        _ kind: RecordKind, customer: CustomerID?, after: String?, limit: Int
    ) throws(ControlStoreError) -> [RecordHistory]
    /// The records that a customer's entitlements are folded from (`RecordKind.contract`).
    func contract(of customer: CustomerID) throws(ControlStoreError) -> [RecordHistory]
    /// Every customer's, one call per customer, in the order of their ids.
    func scanContracts(
        _ body: (CustomerID, [RecordHistory]) -> Void
    ) throws(ControlStoreError)
    /// The customer that another system calls `name`.
    func customer(externalSystem: String, name: String) throws(ControlStoreError) -> CustomerID?
    /// The customer whose profile lists the subject now.
    func customer(ofSubject subject: SubjectID) throws(ControlStoreError) -> CustomerID?
    func children(of customer: CustomerID) throws(ControlStoreError) -> [CustomerID]
    /// Subscriptions that are pinned to a version of a plan at their latest step, by id.
    func subscriptions(
        plan: PlanKey, version: Int?, after: String?, limit: Int
    ) throws(ControlStoreError) -> [RecordHistory]
    func count(_ kind: RecordKind) throws(ControlStoreError) -> Int

    // MARK: audit

    func changes(
        _ filter: AuditFilter, after sequence: Int64, limit: Int
    ) throws(ControlStoreError) -> [AuditRow]
    /// Goes through the whole chain; the first row whose content or link is not what was written.
    func verifyChain() throws(ControlStoreError) -> ChainVerdict

    // MARK: idempotency

    func answer(idempotencyKey: String) throws(ControlStoreError) -> StoredAnswer?
    /// Drops answers, sessions and delivered webhook ids that are older than their keep time.
    func prune(now: Timestamp) throws(ControlStoreError)

    // MARK: small tables, written by themselves

    /// True when the id is new: a webhook event is taken once.
    func isWebhookKnown(_ source: String, _ id: String) throws(ControlStoreError) -> Bool
    func imports(_ id: String) throws(ControlStoreError) -> ImportProgress?
    func putImport(_ progress: ImportProgress) throws(ControlStoreError)
    func accessKeys() throws(ControlStoreError) -> [StoredAccessKey]
    func putAccessKey(_ key: StoredAccessKey) throws(ControlStoreError)
    func seatSessions() throws(ControlStoreError) -> [SeatSession]
    func putSeatSession(_ session: SeatSession) throws(ControlStoreError)
    func removeSeatSession(
        _ customer: CustomerID, _ feature: FeatureKey, _ holder: String
    ) throws(ControlStoreError)
    /// Named values of the installation (signing keys apart, which are files).
    func setting(_ name: String) throws(ControlStoreError) -> JSONValue?
    func setSetting(_ name: String, _ value: JSONValue) throws(ControlStoreError)
}

/// Changes that take effect together.
package struct ControlCommit: Sendable {
    /// The revision that the changes were made against.
    package var base: Int64
    /// Sequences are given by the store.
    package var changes: [ControlChange]
    package var answer: StoredAnswer?
    /// A webhook event whose effect this is: (source, id).
    package var webhook: (source: String, id: String)?
    /// How far an import is with this.
    package var progress: ImportProgress?
    package init(
        base: Int64, changes: [ControlChange], answer: StoredAnswer? = nil,
        webhook: (source: String, id: String)? = nil, progress: ImportProgress? = nil
    ) {
        self.base = base
        self.changes = changes
        self.answer = answer
        self.webhook = webhook
        self.progress = progress
    }
}

/// What a command answered, kept for its idempotency key.
package struct StoredAnswer: Sendable, Hashable {
    package var key: String
    /// Of method, path, caller and body: the same key with another digest is a conflict.
    package var requestDigest: String
    package var status: Int
    package var body: JSONValue
    package var entityTag: String?
    package var at: Timestamp
    package init(
        key: String, requestDigest: String, status: Int, body: JSONValue, entityTag: String?,
        at: Timestamp
    ) {
        self.key = key
        self.requestDigest = requestDigest
        self.status = status
        self.body = body
        self.entityTag = entityTag
        self.at = at
    }
}

package struct AuditFilter: Sendable, Hashable {
    package var customer: CustomerID?
    package var kind: RecordKind?
    package var id: String?
    package var actor: String?
    package var requestID: String?
    package var from: Timestamp?
    package var to: Timestamp?
    package init(
        customer: CustomerID? = nil, kind: RecordKind? = nil, id: String? = nil,
        actor: String? = nil, requestID: String? = nil, from: Timestamp? = nil,
        to: Timestamp? = nil
    ) {
        self.customer = customer
        self.kind = kind
        self.id = id
        self.actor = actor
        self.requestID = requestID
        self.from = from
        self.to = to
    }
}

/// A change with its place in the chain:
/// `hash = SHA-256(previous hash ‖ canonical bytes of the change's document)`, 32 bytes.
package struct AuditRow: Sendable, Hashable {
    package var change: ControlChange
    package var previousHash: [UInt8]
    package var hash: [UInt8]
    package init(change: ControlChange, previousHash: [UInt8], hash: [UInt8]) {
        self.change = change
        self.previousHash = previousHash
        self.hash = hash
    }
}

package enum ChainVerdict: Sendable, Hashable {
    /// The number of rows and the last one's hash (32 zero bytes in an empty log).
    case intact(count: Int64, head: [UInt8])
    case broken(sequence: Int64, reason: String)
}

package struct ImportProgress: Sendable, Hashable {
    package enum State: String, Sendable { case running, done, rolledBack = "rolled_back" }
    /// Also the request id of its changes.
    package var id: String
    package var state: State
    package var digest: String
    package var total: Int
    package var done: Int
    package var created: Int
    package var changed: Int
    package var unchanged: Int
    package var startedAt: Timestamp
    package var updatedAt: Timestamp
    package init(
        id: String, state: State, digest: String, total: Int, done: Int = 0, created: Int = 0,
        changed: Int = 0, unchanged: Int = 0, startedAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.state = state
        self.digest = digest
        self.total = total
        self.done = done
        self.created = created
        self.changed = changed
        self.unchanged = unchanged
        self.startedAt = startedAt
        self.updatedAt = updatedAt
    }
}

package struct StoredAccessKey: Sendable, Hashable {
    package var id: String
    package var name: String
    /// SHA-256 of the secret, 32 bytes.
    package var digest: [UInt8]
    /// The first characters of the secret and its last four, for people.
    package var prefix: String
    package var lastFour: String
    package var scopes: Set<AccessScope>
    /// A key that is bound to a customer sees and asserts that customer (and its tree) only.
    package var customer: CustomerID?
    package var createdBy: String
    package var createdAt: Timestamp
    package var expiresAt: Timestamp?
    package var revokedAt: Timestamp?
    package init(
        id: String, name: String, digest: [UInt8], prefix: String, lastFour: String,
        scopes: Set<AccessScope>, customer: CustomerID?, createdBy: String, createdAt: Timestamp,
        expiresAt: Timestamp? = nil, revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.digest = digest
        self.prefix = prefix
        self.lastFour = lastFour
        self.scopes = scopes
        self.customer = customer
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.revokedAt = revokedAt
    }
}

/// A concurrent seat that is taken.
package struct SeatSession: Sendable, Hashable {
    package var customer: CustomerID
    package var feature: FeatureKey
    package var holder: String
    package var expiresAt: Timestamp
    package init(
        customer: CustomerID, feature: FeatureKey, holder: String, expiresAt: Timestamp
    ) {
        self.customer = customer
        self.feature = feature
        self.holder = holder
        self.expiresAt = expiresAt
    }
}

package struct ControlStoreError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case conflict, full, busy, corrupt, unavailable, misconfigured
    }
    package var code: Code
    package var message: String
    package var isRetriable: Bool
    package init(code: Code, message: String, isRetriable: Bool = false) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }
    package var description: String { message }
}
