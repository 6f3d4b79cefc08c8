package import Entitlements
package import MeteringModel
package import MeteringPorts

/// What shadow plans are computed from.
package struct SimulationSources: Sendable {
    /// Reads and checks a draft as `apply` would: the definitions that would be in force then,
    /// numbered as they are written, without customers.
    package typealias Rehearsal = @Sendable (String) async throws(CatalogProblems) -> Catalog

    package var catalog: CurrentCatalog
    package var contracts: ContractRecords
    package var cumulative: any CumulativeUsage
    /// From when on which rollups are kept.
    package var rollupsKept: @Sendable () throws(LedgerError) -> RollupsKept
    package var rehearse: Rehearsal
    package var zone: @Sendable (String) -> TimeZoneRules?
    package var clock: WallClock

    package init(
        catalog: CurrentCatalog, contracts: ContractRecords, cumulative: any CumulativeUsage,
        rollupsKept: @escaping @Sendable () throws(LedgerError) -> RollupsKept,
        rehearse: @escaping Rehearsal, zone: @escaping @Sendable (String) -> TimeZoneRules?,
        clock: WallClock
    ) {
        self.catalog = catalog
        self.contracts = contracts
        self.cumulative = cumulative
        self.rollupsKept = rollupsKept
        self.rehearse = rehearse
        self.zone = zone
        self.clock = clock
    }
}
