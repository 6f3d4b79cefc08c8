package import MeteringModel
package import MeteringPorts
import Synchronization

/// The API keys, in memory and in the store.
///
/// A request's key is found by its SHA-256 in a table that is replaced as a whole: looking up takes
/// a lock for the time of copying one reference, and neither blocks nor reads the store. Keys given
/// by a file stand beside it; they have all scopes and are compared in constant time.
package final class AccessBook: AccessControl {
    /// Longer ones are no keys, and not worth hashing.
    private static let secretBytesMax = 512

    /// A stored key and what is known of it in memory only.
    final class Entry: Sendable {
        let key: StoredAccessKey
        let principal: Principal
        /// Minutes since 1970; 0: not since the start.
        private let lastUsedMinute: Atomic<Int64>

        init(_ key: StoredAccessKey, lastUsedMinute: Int64 = 0) {
            self.key = key
            principal = Principal(id: key.id, scopes: key.scopes, customer: key.customer)
            self.lastUsedMinute = Atomic(lastUsedMinute)
        }

        func isUsable(at now: Timestamp) -> Bool {
            (key.expiresAt.map { now < $0 } ?? true) && (key.revokedAt.map { now < $0 } ?? true)
        }

        /// Writes once a minute, so that event loops do not fight for the line.
        func touch(_ now: Timestamp) {
            let minute = now.seconds.floorDivided(by: 60)
            // Relaxed: the number stands for itself.
            if lastUsedMinute.load(ordering: .relaxed) != minute {
                lastUsedMinute.store(minute, ordering: .relaxed)
            }
        }

        var minute: Int64 { lastUsedMinute.load(ordering: .relaxed) }

        var lastUsedAt: Timestamp? { minute == 0 ? nil : Timestamp(seconds: minute * 60) }
    }

    /// All keys; never changed once it is in force.
    final class Table: Sendable {
        let entries: [Entry]
        private let byDigest: [SecretDigest: Entry]

        init(_ entries: [Entry]) {
            self.entries = entries
            let pairs = entries.compactMap { entry in
                SecretDigest(stored: entry.key.digest).map { ($0, entry) }
            }
            // Two keys of one secret cannot be stored; should they be, neither is more than the
            // first.
            byDigest = Dictionary(pairs, uniquingKeysWith: { first, _ in first })
        }

        subscript(digest: SecretDigest) -> Entry? { byDigest[digest] }
    }

    let store: any ControlStore
    let clock: WallClock
    /// Held while a key is made or revoked, store included; never by `principal`.
    let changing = Mutex(RecentKeys())
    private let current: Mutex<Table>
    private let fileKeys: [(digest: SecretDigest, principal: Principal)]
    private let isInTreeNow: @Sendable (CustomerID, CustomerID) -> Bool
    private let ownerNow: @Sendable (SubjectID) -> CustomerID?

    /// Reads the stored keys.
    /// - Parameters:
    ///   - fileSecrets: of `--api-keys-file`: principals `file_1`, `file_2`, … with all scopes.
    ///   - isInTree: whether the first customer belongs to the tree of the second, itself included;
    ///     called on event loops.
    ///   - owner: the customer of a subject; called on event loops.
    /// - Throws: `unavailable` when the store cannot be read.
    package init(
        store: any ControlStore, fileSecrets: [String] = [], clock: WallClock,
        isInTree: @escaping @Sendable (CustomerID, CustomerID) -> Bool,
        owner: @escaping @Sendable (SubjectID) -> CustomerID?
    ) throws(ControlProblem) {
        self.store = store
        self.clock = clock
        isInTreeNow = isInTree
        ownerNow = owner
        fileKeys = fileSecrets.enumerated().map { index, secret in
            (
                SecretDigest(of: Array(secret.utf8)),
                Principal(id: "file_\(index + 1)", scopes: Set(AccessScope.allCases))
            )
        }
        let stored = try Self.storing { () throws(ControlStoreError) in try store.accessKeys() }
        current = Mutex(Table(stored.map { Entry($0) }))
    }

    // MARK: AccessControl

    package func principal(secret: [UInt8]) -> Principal? {
        guard secret.count <= Self.secretBytesMax else { return nil }
        let isOurs = AccessSecret.isWellFormed(secret)
        if !isOurs, fileKeys.isEmpty { return nil }
        let digest = SecretDigest(of: secret)
        var found: Principal?
        // All of them, whichever it is.
        for key in fileKeys where key.digest == digest { found = key.principal }
        if let found { return found }
        guard isOurs, let entry = table[digest] else { return nil }
        let now = clock.now()
        guard entry.isUsable(at: now) else { return nil }
        entry.touch(now)
        return entry.principal
    }

    /// Also true when every key is revoked or expired: then nobody has access, which a new start
    /// with `--api-keys-file` mends.
    package var hasKeys: Bool { !fileKeys.isEmpty || !table.entries.isEmpty }

    package func isInTree(_ customer: CustomerID, of root: CustomerID) -> Bool {
        isInTreeNow(customer, root)
    }

    package func owner(of subject: SubjectID) -> CustomerID? { ownerNow(subject) }

    // MARK: parts

    var table: Table { current.withLock { $0 } }

    var hasFileKeys: Bool { !fileKeys.isEmpty }

    /// Stores the key and brings it into force. Call it with `changing` held.
    func put(_ key: StoredAccessKey) throws(ControlProblem) {
        try Self.storing { () throws(ControlStoreError) in try store.putAccessKey(key) }
        let old = table.entries.first { $0.key.id == key.id }
        let made = Entry(key, lastUsedMinute: old?.minute ?? 0)
        let others = table.entries.filter { $0.key.id != key.id }
        let next = Table(others + [made])
        current.withLock { $0 = next }
    }

    static func storing<Result>(
        _ body: () throws(ControlStoreError) -> Result
    ) throws(ControlProblem) -> Result {
        do throws(ControlStoreError) {
            return try body()
        } catch {
            throw ControlProblem(
                .unavailable, "unavailable",
                "the control plane's store cannot be used now: \(error.message)")
        }
    }
}
