internal import MeteringModel
internal import MeteringPorts
internal import NIOCore

/// Reports over all customers: who is near a limit, which thresholds were crossed, totals.
struct ReportRoutes: Sendable {
    let reporting: any UsageReporting
    let document: DecisionDocument
    let trees: TreeGuard

    private static let pageSizes = 1...1_000
    /// How many pages are looked through for entries that a bound key may see, for one answer.
    private static let pageCountMax = 50

    init(_ services: HTTPServices, _ options: HTTPOptions) {
        reporting = services.reporting
        document = DecisionDocument(offsetSeconds: options.offsetSeconds)
        trees = TreeGuard(access: services.access)
    }

    /// A page of what the caller may see. A key that is bound to a customer gets the entries of its
    /// tree, gathered from as many pages as it takes, and may get few together with a `next`.
    private func gather<Element>(
        _ limit: Int, _ cursor: String?, for principal: Principal,
        customer: (Element) -> CustomerID,
        page: (Int, String?) throws(QueryError) -> Page<Element>
    ) throws(Problem) -> Page<Element> {
        do throws(QueryError) {
            var result = try page(limit, cursor)
            if principal.customer == nil { return result }
            result.elements.removeAll { !trees.allows(customer($0), to: principal) }
            for _ in 1..<Self.pageCountMax {
                guard result.elements.count < limit, let next = result.next else { break }
                let more = try page(limit - result.elements.count, next)
                result.elements += more.elements.filter {
                    trees.allows(customer($0), to: principal)
                }
                result.next = more.next
            }
            return result
        } catch {
            throw Problem(error)
        }
    }

    func nearLimit(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        var over: Int64 = 8_000
        if let text = try query.text("over") {
            guard let share = try? DecimalQuantity(text).units(scale: 4), share >= 0 else {
                throw .invalid("over", "over must be a share such as 0.8")
            }
            over = share
        }
        let limit = try query.integer("limit", in: Self.pageSizes, default: 50)
        let cursor = try query.text("cursor")
        let filter = NearLimitFilter(
            customer: try query.text("customer").map { CustomerID(rawValue: $0) },
            feature: try query.text("feature").map { FeatureKey(rawValue: $0) },
            plan: try query.text("plan").map { PlanKey(rawValue: $0) },
            owner: try query.text("owner"))
        if let customer = filter.customer { try trees.check(customer, request.principal) }
        let page = try gather(limit, cursor, for: request.principal, customer: \.customer) {
            (limit, cursor) throws(QueryError) -> Page<NearLimitEntry> in
            let page = try reporting.nearLimit(
                overBasisPoints: over, filter: filter, limit: limit, cursor: cursor)
            return Page((page.entries, page.next))
        }
        return .page("\"entries\":", page) { writer, entry in write(entry, to: &writer) }
    }

    private func write(_ entry: NearLimitEntry, to writer: inout JSONWriter) {
        writer.member("\"customer\":", entry.customer.rawValue)
        writer.member("\"feature\":", entry.feature.rawValue)
        writer.member("\"plan\":", entry.plan)
        writer.member("\"owner\":", entry.owner)
        writer.name("\"used\":")
        writer.quantity(entry.used, scale: entry.scale)
        writer.name("\"limit\":")
        writer.quantity(entry.limit, scale: entry.scale)
        writer.member("\"share\":", DecimalQuantity.text(units: entry.shareBasisPoints, scale: 4))
        writer.member("\"enforcement\":", entry.enforcement.rawValue)
        writer.name("\"period\":")
        document.period(entry.period, zone: entry.timeZone, to: &writer)
        for (name, instant) in [
            ("\"projected_exhaustion\":" as StaticString, entry.projectedExhaustion),
            ("\"projected_earliest\":", entry.projectedEarliest),
            ("\"projected_latest\":", entry.projectedLatest),
        ] {
            writer.name(name)
            if let instant {
                document.time(instant, zone: entry.timeZone, to: &writer)
            } else {
                writer.null()
            }
        }
    }

    func alerts(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let customer = try query.text("customer").map { CustomerID(rawValue: $0) }
        let since = try query.time("since")
        let limit = try query.integer("limit", in: Self.pageSizes, default: 100)
        let cursor = try query.text("cursor")
        if let customer { try trees.check(customer, request.principal) }
        let page = try gather(
            limit, cursor, for: request.principal, customer: \.crossing.customer
        ) { (limit, cursor) throws(QueryError) -> Page<StoredCrossing> in
            let page = try reporting.alerts(
                customer: customer, since: since, cursor: cursor, limit: limit)
            return Page((page.alerts, page.next))
        }
        return .page("\"alerts\":", page) { writer, alert in write(alert, to: &writer) }
    }

    private func write(_ alert: StoredCrossing, to writer: inout JSONWriter) {
        let crossing = alert.crossing
        writer.member("\"id\":", crossing.id)
        writer.member("\"sequence\":", alert.sequence)
        writer.member("\"customer\":", crossing.customer.rawValue)
        writer.member("\"feature\":", crossing.feature.rawValue)
        writer.member("\"meter\":", crossing.meter.rawValue)
        writer.member("\"threshold\":", crossing.threshold.label)
        writer.name("\"limit\":")
        if let limit = crossing.limit.finite {
            writer.quantity(limit, scale: crossing.scale)
        } else {
            writer.null()
        }
        writer.name("\"used_before\":")
        writer.quantity(crossing.usedBefore, scale: crossing.scale)
        writer.name("\"used_after\":")
        writer.quantity(crossing.usedAfter, scale: crossing.scale)
        writer.name("\"period\":")
        // A crossing does not carry its customer's zone; UTC is unambiguous.
        document.period(crossing.period, zone: "UTC", to: &writer)
        writer.member("\"limit_source\":", crossing.source)
        writer.name("\"crossed_at\":")
        writer.time(crossing.crossedAt)
        writer.name("\"resolved_at\":")
        writer.time(crossing.resolvedAt)
    }

    func totals(_ request: Request) async throws(Problem) -> Answer {
        let totals: [MeterTotal]
        do throws(QueryError) {
            totals = try reporting.totals()
        } catch {
            throw Problem(error)
        }
        return .json { writer in
            writer.object { writer in
                writer.name("\"totals\":")
                writer.array(totals) { writer, total in
                    writer.object { writer in
                        writer.member("\"customer\":", total.customer.rawValue)
                        writer.member("\"meter\":", total.meter.rawValue)
                        writer.member("\"count\":", total.count)
                        writer.member("\"value\":", total.value)
                    }
                }
            }
        }
    }

    func reconcile(_ request: Request) async throws(Problem) -> Answer {
        let report: ReconcileReport
        do throws(QueryError) {
            report = try await reporting.reconcile()
        } catch {
            throw Problem(error)
        }
        return .json { write(report, to: &$0) }
    }

    private func write(_ report: ReconcileReport, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("\"events_read\":", report.eventsRead)
            writer.member("\"events_counted\":", report.eventsCounted)
            writer.member("\"duplicates\":", report.duplicates)
            writer.member("\"set_aside\":", report.setAside)
            writer.member("\"filtered\":", report.filtered)
            writer.member("\"control_events\":", report.controlEvents)
            writer.member("\"rows_compared\":", report.rowsCompared)
            writer.name("\"drifts\":")
            writer.array(report.drifts) { writer, drift in
                writer.object { writer in
                    writer.member("\"customer\":", drift.customer)
                    writer.member("\"meter\":", drift.meter)
                    writer.name("\"period\":")
                    if let period = drift.period {
                        document.period(period, zone: "UTC", to: &writer)
                    } else {
                        writer.null()
                    }
                    writer.member("\"store\":", drift.store)
                    writer.member("\"recounted\":", drift.recounted)
                    writer.member("\"stored\":", drift.stored)
                }
            }
            writer.member("\"notes\":", report.notes)
        }
    }
}
