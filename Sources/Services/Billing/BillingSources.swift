package import Entitlements
package import Logging
package import MeteringModel
package import MeteringPorts

/// What billing reads and where it writes: everything that it does not own.
package struct BillingSources: Sendable {
    package typealias LimitRule = @Sendable (Quota, Period, Timestamp) -> Limit

    package var catalog: CurrentCatalog
    package var contracts: ContractSource
    package var queries: any LedgerQueries
    package var cumulative: any CumulativeUsage
    package var store: any BillingStore
    /// The limits of quotas under a snapshot, grants included.
    package var limits: @Sendable (CatalogSnapshot) -> LimitRule
    /// The rules of a named time zone; nil when there is no such zone here.
    package var zone: @Sendable (String) -> TimeZoneRules?
    /// Events appended before this instant are in the ledger; nil while that is not known.
    package var completeTo: @Sendable () -> Timestamp?
    package var clock: WallClock
    package var settings: BillingSettings
    package var logger: Logger

    package init(
        catalog: CurrentCatalog, contracts: ContractSource, queries: any LedgerQueries,
        cumulative: any CumulativeUsage, store: any BillingStore,
        limits: @escaping @Sendable (CatalogSnapshot) -> LimitRule,
        zone: @escaping @Sendable (String) -> TimeZoneRules?,
        completeTo: @escaping @Sendable () -> Timestamp?, clock: WallClock,
        settings: BillingSettings = BillingSettings(), logger: Logger
    ) {
        self.catalog = catalog
        self.contracts = contracts
        self.queries = queries
        self.cumulative = cumulative
        self.store = store
        self.limits = limits
        self.zone = zone
        self.completeTo = completeTo
        self.clock = clock
        self.settings = settings
        self.logger = logger
    }
}

/// The three things that billing asks the control plane's store.
package struct ContractSource: Sendable {
    /// The records that a customer's entitlements are folded from.
    package var contract: @Sendable (CustomerID) throws(ControlStoreError) -> [RecordHistory]
    package var record: @Sendable (RecordKind, String) throws(ControlStoreError) -> RecordHistory?
    /// Rows of the audit log behind a sequence, in order, at most so many.
    package var changes: @Sendable (Int64, Int) throws(ControlStoreError) -> [ControlChange]

    package init(
        contract: @escaping @Sendable (CustomerID) throws(ControlStoreError) -> [RecordHistory],
        record:
            @escaping @Sendable (RecordKind, String) throws(ControlStoreError) -> RecordHistory?,
        changes: @escaping @Sendable (Int64, Int) throws(ControlStoreError) -> [ControlChange]
    ) {
        self.contract = contract
        self.record = record
        self.changes = changes
    }

    package init(_ store: any ControlStore) {
        self.init(
            contract: { (customer) throws(ControlStoreError) in
                try store.contract(of: customer)
            },
            record: { (kind, id) throws(ControlStoreError) in try store.record(kind, id) },
            changes: { (sequence, limit) throws(ControlStoreError) in
                try store.changes(AuditFilter(), after: sequence, limit: limit).map(\.change)
            })
    }
}

package struct BillingSettings: Sendable {
    /// How long after its end a month stays open for late events; the same as metering's, or what
    /// metering calls late and what billing takes for on time would differ.
    package var graceSeconds: Int64 = 72 * 3_600
    /// How far back months are billed, counted from the first start.
    package var monthsBackMax = 13
    /// Customers whose months are closed in one transaction.
    package var closingCountMax = 64
    /// Customers who are read and rated before others have a turn, by those who only look.
    package var readingCountMax = 16
    /// Rows of a feed that are read at once.
    package var feedCountMax = 1_000
    /// Marks that are looked at before others have a turn.
    package var markCountMax = 256
    /// A month that could not be rated is tried again after so long.
    package var retrySeconds: Int64 = 3_600
    /// How often a month is looked at again that was closed by hand before its grace was over.
    package var recheckSeconds: Int64 = 600
    package init() {}
}

package struct BillingError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// A store could not be read or written; the same call may work later.
        case unavailable
        /// The month was adjusted by another while it was rated: rate it again.
        case conflict
        /// A contract or a price that cannot be rated; somebody must put it right.
        case unrateable
    }
    package var code: Code
    package var message: String
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    package var description: String { message }
}

extension BillingError {
    init(_ error: LedgerError) {
        switch error.code {
        case .overflow, .misconfigured: self.init(.unrateable, error.message)
        case .fenced, .full, .busy, .corrupt, .unavailable:
            self.init(.unavailable, error.message)
        }
    }
    init(_ error: ControlStoreError) { self.init(.unavailable, error.message) }
    init(_ error: BillingStoreError) {
        self.init(error.code == .conflict ? .conflict : .unavailable, error.message)
    }

    /// Runs a call of a store and says its error in ours.
    static func ledger<Value>(
        _ body: () throws(LedgerError) -> Value
    ) throws(BillingError) -> Value {
        do { return try body() } catch { throw BillingError(error) }
    }

    static func control<Value>(
        _ body: () throws(ControlStoreError) -> Value
    ) throws(BillingError) -> Value {
        do { return try body() } catch { throw BillingError(error) }
    }

    static func store<Value>(
        _ body: () throws(BillingStoreError) -> Value
    ) throws(BillingError) -> Value {
        do { return try body() } catch { throw BillingError(error) }
    }
}
