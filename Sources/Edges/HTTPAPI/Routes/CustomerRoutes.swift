internal import MeteringModel
internal import MeteringPorts
internal import NIOCore

/// What one customer may use and has used.
struct CustomerRoutes: Sendable {
    let gate: any EntitlementGate
    let reporting: any UsageReporting
    let document: DecisionDocument

    init(_ services: HTTPServices, _ options: HTTPOptions) {
        gate = services.gate
        reporting = services.reporting
        document = DecisionDocument(offsetSeconds: options.offsetSeconds)
    }

    func entitlements(_ request: Request) async throws(Problem) -> Answer {
        if try Query(request.query).text("at") != nil {
            throw .invalid("at", "entitlements of another time cannot be asked for yet")
        }
        let customer = CustomerID(rawValue: request.pathParameter ?? "")
        let found: [EffectiveEntitlement]
        do throws(GateError) {
            found = try gate.entitlements(of: customer)
        } catch {
            throw Problem(error)
        }
        return .json { writer in
            writer.object { writer in
                writer.name("\"customer\":")
                writer.value(customer.rawValue)
                writer.name("\"entitlements\":")
                writer.array(found) { writer, entitlement in
                    writer.object { writer in write(entitlement, to: &writer) }
                }
            }
        }
    }

    private func write(_ entitlement: EffectiveEntitlement, to writer: inout JSONWriter) {
        writer.name("\"type\":")
        writer.value(entitlement.type.rawValue)
        writer.name("\"enforcement\":")
        writer.value(entitlement.enforcement?.rawValue)
        writer.name("\"counting\":")
        writer.value(entitlement.counting?.rawValue)
        writer.name("\"thresholds\":")
        writer.array(entitlement.thresholds) { $0.value($1) }
        document.writeMembers(entitlement.decision, to: &writer)
    }

    func usage(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        guard let feature = try query.text("feature") else {
            throw .invalid("feature", "feature is missing (a feature, or meter:<key>)")
        }
        var window = UsageWindow.day
        if let text = try query.text("window") {
            guard let named = UsageWindow(rawValue: text) else {
                throw .invalid("window", "window must be hour, day or month")
            }
            window = named
        }
        let from = try query.time("from")
        let to = try query.time("to")
        if let from, let to, from >= to { throw .invalid("to", "to must be later than from") }
        let groupBy = query.list("group_by")
        let report: UsageReport
        do throws(QueryError) {
            report = try reporting.usage(
                customer: CustomerID(rawValue: request.pathParameter ?? ""), feature: feature,
                from: from, to: to, window: window, groupBy: groupBy)
        } catch {
            throw Problem(error)
        }
        return .json { write(report, to: &$0) }
    }

    private func write(_ report: UsageReport, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("\"customer\":")
            writer.value(report.customer.rawValue)
            writer.name("\"feature\":")
            writer.value(report.feature?.rawValue)
            writer.name("\"meter\":")
            writer.value(report.meter.rawValue)
            writer.name("\"window\":")
            writer.value(report.window)
            writer.name("\"unit\":")
            writer.value(report.unit)
            writer.name("\"time_zone\":")
            writer.value(report.timeZone)
            writer.name("\"usage_complete_to\":")
            writer.time(report.usageCompleteTo)
            writer.name("\"windows\":")
            writer.array(report.windows) { writer, window in
                writer.object { writer in
                    writer.name("\"start\":")
                    document.time(window.start, zone: report.timeZone, to: &writer)
                    writer.name("\"end\":")
                    document.time(window.end, zone: report.timeZone, to: &writer)
                    writer.name("\"value\":")
                    writer.value(DecimalQuantity.text(units: window.value, scale: report.scale))
                    writer.name("\"count\":")
                    writer.value(window.count)
                    writer.name("\"group\":")
                    writer.object { writer in
                        for (name, value) in window.group.sorted(by: { $0.key < $1.key }) {
                            writer.name(text: name)
                            writer.value(value)
                        }
                    }
                }
            }
        }
    }
}
