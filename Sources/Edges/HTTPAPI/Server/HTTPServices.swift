package import Logging
package import MeteringPorts

/// What the edge asks; it keeps no state of its own about usage or quotas.
package struct HTTPServices: Sendable {
    package var gate: any EntitlementGate
    package var ingest: any EventIngest
    package var reporting: any UsageReporting
    package var catalog: any CatalogAdministration
    /// Nil where there is none: its routes do not exist then.
    package var control: (any ControlPlane)?
    /// The same.
    package var billing: (any BillingDesk)?
    /// Nil where there is none: its routes do not exist then.
    package var alerts: (any AlertDesk)?
    /// Nil where single events are not corrected: its routes do not exist then.
    package var corrections: (any EventCorrecting)?
    /// The same.
    package var exports: (any ExportDesk)?
    /// The same.
    package var alerts: (any AlertDesk)?
    package var access: any AccessControl
    package var operations: any OperationsStatus
    /// Nil where nothing can be watched.
    package var tail: (any EventTailing)?
    /// Nil where there are none: their routes do not exist then.
    package var signals: (any SignalDesk)?
    package var simulation: (any PlanSimulating)?
    package var logger: Logger

    package init(
        gate: any EntitlementGate, ingest: any EventIngest, reporting: any UsageReporting,
        catalog: any CatalogAdministration, control: (any ControlPlane)? = nil,
        billing: (any BillingDesk)? = nil,
        alerts: (any AlertDesk)? = nil,
        corrections: (any EventCorrecting)? = nil,
        billing: (any BillingDesk)? = nil, exports: (any ExportDesk)? = nil,
        alerts: (any AlertDesk)? = nil,
        access: any AccessControl, operations: any OperationsStatus,
        tail: (any EventTailing)? = nil, logger: Logger
    ) {
        self.gate = gate
        self.ingest = ingest
        self.reporting = reporting
        self.catalog = catalog
        self.control = control
        self.billing = billing
        self.alerts = alerts
        self.corrections = corrections
        self.exports = exports
        self.alerts = alerts
        self.access = access
        self.operations = operations
        self.tail = tail
        self.logger = logger
    }
}
