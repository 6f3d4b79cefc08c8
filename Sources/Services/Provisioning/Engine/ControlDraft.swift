package import Entitlements
package import MeteringModel
package import MeteringPorts

/// Names one record.
package struct RecordReference: Hashable, Sendable {
    package var kind: RecordKind
    package var id: String
    package init(_ kind: RecordKind, _ id: String) {
        self.kind = kind
        self.id = id
    }
}

/// A webhook event, as its sender names it.
package struct Webhook: Hashable, Sendable {
    package var source: String
    package var id: String
    package init(source: String, id: String) {
        self.source = source
        self.id = id
    }
}

/// The changes of one command while it is being worked out. Reads see what was written before them;
/// nothing reaches the store until the engine commits the whole.
package struct ControlDraft: Sendable {
    package let context: CommandContext
    /// When the command is carried out, in whole seconds.
    package let now: Timestamp
    /// As it was before the command.
    package let snapshot: CatalogSnapshot
    /// Revision that the draft is made against.
    package let base: Int64
    /// With the sequences that the store will give them.
    package internal(set) var changes: [ControlChange] = []
    /// The catalog with this draft's own changes, without customers.
    package internal(set) var definitions: Catalog
    /// Stored with the changes.
    package var progress: ImportProgress?
    package var webhook: Webhook?

    let store: any ControlStore
    let zone: @Sendable (String) -> TimeZoneRules?
    /// Histories that this draft changed.
    var written: [RecordReference: RecordHistory] = [:]
    var writtenCustomers = WrittenCustomers()
    var writtenOfCustomer: [CustomerID: Set<RecordReference>] = [:]
    var idCount = 0

    init(
        context: CommandContext, now: Timestamp, snapshot: CatalogSnapshot, base: Int64,
        definitions: Catalog, store: any ControlStore,
        zone: @escaping @Sendable (String) -> TimeZoneRules?
    ) {
        self.context = context
        self.now = now.wholeSeconds
        self.snapshot = snapshot
        self.base = base
        self.definitions = definitions
        self.store = store
        self.zone = zone
    }

    /// The instant from which the command holds unless it says otherwise for a record.
    package var effectiveAt: Timestamp { context.effectiveAt?.wholeSeconds ?? now }

    /// How many records differ from before.
    package var changedCount: Int { Set(changes.map { RecordReference($0.kind, $0.id) }).count }

    // MARK: reads

    package func history(
        _ kind: RecordKind, _ id: String
    ) throws(ControlProblem) -> RecordHistory? {
        if let history = written[RecordReference(kind, id)] { return history }
        return try stored { store throws(ControlStoreError) in try store.record(kind, id) }
    }

    /// The record at an instant; nil is `effectiveAt`.
    package func document(
        _ kind: RecordKind, _ id: String, at instant: Timestamp? = nil
    ) throws(ControlProblem) -> JSONValue? {
        try history(kind, id)?.document(at: instant ?? (kind.isCatalog ? now : effectiveAt))
    }

    /// A customer's records of one kind, deleted ones included, by id.
    package func records(
        _ kind: RecordKind, ofCustomer customer: CustomerID
    ) throws(ControlProblem) -> [RecordHistory] {
        let stored = try all(kind, customer: customer)
        return overlay(stored, customer: customer) { $0 == kind }
    }

    /// The records that a customer's entitlements are folded from, deleted ones included.
    package func records(
        ofCustomer customer: CustomerID
    ) throws(ControlProblem) -> [RecordHistory] {
        let stored = try stored { store throws(ControlStoreError) in
            try store.contract(of: customer)
        }
        return overlay(stored, customer: customer) { $0.isContract }
    }

    /// All records of a kind, deleted ones included, by id. For the catalog's kinds, which are few.
    package func records(_ kind: RecordKind) throws(ControlProblem) -> [RecordHistory] {
        var records: [String: RecordHistory] = [:]
        for record in try all(kind, customer: nil) { records[record.id] = record }
        for (reference, record) in written where reference.kind == kind {
            records[reference.id] = record
        }
        return records.values.sorted { $0.id < $1.id }
    }

    package func customer(
        externalSystem system: String, name: String
    ) throws(ControlProblem) -> CustomerID? {
        if let owner = writtenCustomers.owner(ofExternal: name, in: system) { return owner }
        let found = try stored { store throws(ControlStoreError) in
            try store.customer(externalSystem: system, name: name)
        }
        guard let found, !writtenCustomers.has(found) else { return nil }
        return found
    }

    package func customer(ofSubject subject: SubjectID) throws(ControlProblem) -> CustomerID? {
        if let owner = writtenCustomers.owner(ofSubject: subject.rawValue) { return owner }
        let found = try stored { store throws(ControlStoreError) in
            try store.customer(ofSubject: subject)
        }
        guard let found, !writtenCustomers.has(found) else { return nil }
        return found
    }

    /// Customers whose parent this is at their latest step, by id.
    package func children(of customer: CustomerID) throws(ControlProblem) -> [CustomerID] {
        let stored = try stored { store throws(ControlStoreError) in
            try store.children(of: customer)
        }
        return writtenCustomers.children(of: customer)
            .union(stored.filter { !writtenCustomers.has($0) }).sorted()
    }

    /// Rules of a customer's billing zone; UTC for one that is not there.
    package func zoneRules(of customer: CustomerID) throws(ControlProblem) -> TimeZoneRules {
        let document = try history(.customer, customer.rawValue)?.latest
        return document?["time_zone"]?.text.flatMap { zone($0) } ?? .utc
    }

    // MARK: parts

    func stored<Value>(
        _ body: (any ControlStore) throws(ControlStoreError) -> Value
    ) throws(ControlProblem) -> Value {
        do throws(ControlStoreError) { return try body(store) } catch { throw .store(error) }
    }

    private func all(
        _ kind: RecordKind, customer: CustomerID?
    ) throws(ControlProblem) -> [RecordHistory] {
        let pageSize = 1_000
        var records: [RecordHistory] = []
        while true {
            let after = records.last?.id
            let page = try stored { store throws(ControlStoreError) in
                try store.records(kind, customer: customer, after: after, limit: pageSize)
            }
            records += page
            if page.count < pageSize { return records }
        }
    }

    private func overlay(
        _ stored: [RecordHistory], customer: CustomerID, _ isWanted: (RecordKind) -> Bool
    ) -> [RecordHistory] {
        guard let own = writtenOfCustomer[customer] else { return stored }
        var records: [RecordReference: RecordHistory] = [:]
        for record in stored { records[RecordReference(record.kind, record.id)] = record }
        for reference in own where isWanted(reference.kind) {
            records[reference] = written[reference]
        }
        return records.values.sorted {
            ($0.kind.rawValue, $0.id) < ($1.kind.rawValue, $1.id)
        }
    }
}
