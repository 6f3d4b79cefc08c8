package import Entitlements
package import Logging
package import MeteringModel
package import MeteringPorts

/// What signals are computed from: everything that this target does not own.
package struct SignalSources: Sendable {
    package typealias LimitRule = @Sendable (Quota, Period, Timestamp) -> Limit
    package typealias NearLimitPage =
        @Sendable (_ over: Int64, _ limit: Int, _ cursor: String?) throws(QueryError) -> (
            entries: [NearLimitEntry], next: String?
        )

    package var catalog: CurrentCatalog
    package var contracts: ContractRecords
    package var queries: any LedgerQueries
    package var activity: any ActivityQueries
    /// The limits of quotas in force, grants included.
    package var limit: LimitRule
    /// Customers near a limit, from the maintained index.
    package var nearLimit: NearLimitPage
    /// Where people's work is kept.
    package var records: any RecordKeeping
    /// Takes what is to be told outside; nil until there is somebody to tell.
    package var outbox: (any NotificationOutbox)?
    package var clock: WallClock
    package var settings: SignalSettings
    package var logger: Logger

    package init(
        catalog: CurrentCatalog, contracts: ContractRecords, queries: any LedgerQueries,
        activity: any ActivityQueries, limit: @escaping LimitRule,
        nearLimit: @escaping NearLimitPage, records: any RecordKeeping,
        outbox: (any NotificationOutbox)? = nil, clock: WallClock,
        settings: SignalSettings = SignalSettings(), logger: Logger
    ) {
        self.catalog = catalog
        self.contracts = contracts
        self.queries = queries
        self.activity = activity
        self.limit = limit
        self.nearLimit = nearLimit
        self.records = records
        self.outbox = outbox
        self.clock = clock
        self.settings = settings
        self.logger = logger
    }
}

/// What the control plane's store is asked for.
package struct ContractRecords: Sendable {
    /// The records that a customer's entitlements are folded from.
    package var contract: @Sendable (CustomerID) throws(ControlStoreError) -> [RecordHistory]
    /// Ids of customers behind one, in the order of their bytes, at most so many.
    package var customers: @Sendable (String?, Int) throws(ControlStoreError) -> [CustomerID]
    package var customerCount: @Sendable () throws(ControlStoreError) -> Int
    package var record: @Sendable (RecordKind, String) throws(ControlStoreError) -> RecordHistory?

    package init(
        contract: @escaping @Sendable (CustomerID) throws(ControlStoreError) -> [RecordHistory],
        customers:
            @escaping @Sendable (String?, Int) throws(ControlStoreError) -> [CustomerID],
        customerCount: @escaping @Sendable () throws(ControlStoreError) -> Int,
        record:
            @escaping @Sendable (RecordKind, String) throws(ControlStoreError) -> RecordHistory?
    ) {
        self.contract = contract
        self.customers = customers
        self.customerCount = customerCount
        self.record = record
    }

    package init(_ store: any ControlStore) {
        self.init(
            contract: { (customer) throws(ControlStoreError) in
                try store.contract(of: customer)
            },
            customers: { (after, limit) throws(ControlStoreError) in
                try store.records(.customer, customer: nil, after: after, limit: limit)
                    .map { CustomerID($0.id) }
            },
            customerCount: { () throws(ControlStoreError) in try store.count(.customer) },
            record: { (kind, id) throws(ControlStoreError) in try store.record(kind, id) })
    }

    /// Reads records under these definitions; good for many customers.
    func reader(_ definitions: CompiledDefinitions) -> ContractReader {
        let catalog = definitions.catalog
        return ContractReader(scales: CodecContext.scales(catalog.meters, catalog.features))
    }

    /// The contract that the records make.
    /// - Throws: a store that cannot be read, or a record that cannot.
    func contract(
        of customer: CustomerID, _ reader: ContractReader
    ) throws(ControlProblem) -> CustomerContract? {
        let histories: [RecordHistory]
        do throws(ControlStoreError) { histories = try contract(customer) } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
        if histories.isEmpty { return nil }
        do throws(FieldProblem) {
            let contract = try reader.contract(of: customer, histories)
            return contract.profile.steps.isEmpty ? nil : contract
        } catch {
            throw ControlProblem(
                .unprocessable, "unreadable_contract", "the contract of \(customer): \(error)")
        }
    }
}
