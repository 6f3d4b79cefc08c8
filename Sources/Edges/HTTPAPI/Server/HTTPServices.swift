package import Logging
package import MeteringPorts

/// What the edge asks; it keeps no state of its own about usage or quotas.
package struct HTTPServices: Sendable {
    package var gate: any EntitlementGate
    package var ingest: any EventIngest
    package var reporting: any UsageReporting
    package var catalog: any CatalogAdministration
    /// Nil where there is none, as with those that follow: their routes do not exist then.
    package var control: (any ControlPlane)?
    package var corrections: (any EventCorrecting)?
    package var billing: (any BillingDesk)?
    package var exports: (any ExportDesk)?
    package var alerts: (any AlertDesk)?
    package var signals: (any SignalDesk)?
    package var simulation: (any PlanSimulating)?
    package var access: any AccessControl
    package var operations: any OperationsStatus
    /// Nil where nothing can be watched.
    package var tail: (any EventTailing)?
    package var logger: Logger

    package init(
        gate: any EntitlementGate, ingest: any EventIngest, reporting: any UsageReporting,
        catalog: any CatalogAdministration, control: (any ControlPlane)? = nil,
        access: any AccessControl, operations: any OperationsStatus,
        tail: (any EventTailing)? = nil, logger: Logger
    ) {
        self.gate = gate
        self.ingest = ingest
        self.reporting = reporting
        self.catalog = catalog
        self.control = control
        self.access = access
        self.operations = operations
        self.tail = tail
        self.logger = logger
    }
}
