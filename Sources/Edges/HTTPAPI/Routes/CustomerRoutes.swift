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
        let at = try Query(request.query).time("at")
        let customer = request.customer
        let found: [EffectiveEntitlement]
        do throws(GateError) {
            found = try gate.entitlements(of: customer, at: at)
        } catch {
            throw Problem(error)
        }
        return .json { writer in
            writer.object { writer in
                writer.member("\"customer\":", customer.rawValue)
                writer.name("\"entitlements\":")
                writer.array(found) { writer, entitlement in
                    writer.object { writer in write(entitlement, to: &writer) }
                }
            }
        }
    }

    private func write(_ entitlement: EffectiveEntitlement, to writer: inout JSONWriter) {
        writer.member("\"type\":", entitlement.type.rawValue)
        writer.member("\"enforcement\":", entitlement.enforcement?.rawValue)
        writer.member("\"counting\":", entitlement.counting?.rawValue)
        writer.member("\"thresholds\":", entitlement.thresholds)
        writer.member("\"sources\":", entitlement.sources)
        writer.name("\"binding\":")
        if let binding = entitlement.binding, !binding.isEmpty {
            writer.object { writer in
                writer.member("\"domains\":", binding.domains)
                writer.member("\"regions\":", binding.regions)
            }
        } else {
            writer.null()
        }
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
        let limit = try query.integer(
            "limit", in: 1...UsageQuery.limitMax, default: UsageQuery.limitMax)
        let question = UsageQuery(
            customer: request.customer, feature: feature, from: from, to: to, window: window,
            groupBy: query.list("group_by"), filters: query.list("filter"), limit: limit,
            cursor: try query.text("cursor"))
        let report: UsageReport
        do throws(QueryError) {
            report = try reporting.usage(question)
        } catch {
            throw Problem(error)
        }
        return .json { write(report, to: &$0) }
    }

    private func write(_ report: UsageReport, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("\"customer\":", report.customer.rawValue)
            writer.member("\"feature\":", report.feature?.rawValue)
            writer.member("\"meter\":", report.meter.rawValue)
            writer.member("\"window\":", report.window)
            writer.member("\"unit\":", report.unit)
            writer.member("\"time_zone\":", report.timeZone)
            writer.name("\"usage_complete_to\":")
            writer.time(report.usageCompleteTo)
            writer.name("\"windows\":")
            writer.array(report.windows) { writer, window in
                writer.object { writer in
                    writer.name("\"start\":")
                    document.time(window.start, zone: report.timeZone, to: &writer)
                    writer.name("\"end\":")
                    document.time(window.end, zone: report.timeZone, to: &writer)
                    writer.member(
                        "\"value\":", DecimalQuantity.text(units: window.value, scale: report.scale)
                    )
                    writer.member("\"count\":", window.count)
                    writer.name("\"group\":")
                    writer.object { writer in
                        for (name, value) in window.group.sorted(by: { $0.key < $1.key }) {
                            writer.name(text: name)
                            writer.value(value)
                        }
                    }
                }
            }
            writer.member("\"next\":", report.next)
        }
    }
}
