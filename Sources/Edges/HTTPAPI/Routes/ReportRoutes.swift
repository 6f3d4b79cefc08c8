internal import MeteringModel
internal import MeteringPorts
internal import NIOCore

/// Reports over all customers: who is near a limit, which thresholds were crossed, totals.
struct ReportRoutes: Sendable {
    let reporting: any UsageReporting
    let document: DecisionDocument

    private static let pageSizes = 1...1_000

    init(_ services: HTTPServices, _ options: HTTPOptions) {
        reporting = services.reporting
        document = DecisionDocument(offsetSeconds: options.offsetSeconds)
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
        let page: (entries: [NearLimitEntry], next: String?)
        do throws(QueryError) {
            page = try reporting.nearLimit(
                overBasisPoints: over, limit: limit, cursor: cursor)
        } catch {
            throw Problem(error)
        }
        return .json { writer in
            writer.object { writer in
                writer.name("\"entries\":")
                writer.array(page.entries) { writer, entry in write(entry, to: &writer) }
                writer.name("\"next\":")
                writer.value(page.next)
            }
        }
    }

    private func write(_ entry: NearLimitEntry, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.name("\"customer\":")
            writer.value(entry.customer.rawValue)
            writer.name("\"feature\":")
            writer.value(entry.feature.rawValue)
            writer.name("\"plan\":")
            writer.value(entry.plan)
            writer.name("\"used\":")
            writer.quantity(entry.used, scale: entry.scale)
            writer.name("\"limit\":")
            writer.quantity(entry.limit, scale: entry.scale)
            writer.name("\"share\":")
            writer.value(DecimalQuantity.text(units: entry.shareBasisPoints, scale: 4))
            writer.name("\"enforcement\":")
            writer.value(entry.enforcement.rawValue)
            writer.name("\"period\":")
            document.period(entry.period, zone: entry.timeZone, to: &writer)
            writer.name("\"projected_exhaustion\":")
            if let instant = entry.projectedExhaustion {
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
        let page: (alerts: [StoredCrossing], next: String?)
        do throws(QueryError) {
            page = try reporting.alerts(
                customer: customer, since: since, cursor: cursor, limit: limit)
        } catch {
            throw Problem(error)
        }
        return .json { writer in
            writer.object { writer in
                writer.name("\"alerts\":")
                writer.array(page.alerts) { writer, alert in write(alert, to: &writer) }
                writer.name("\"next\":")
                writer.value(page.next)
            }
        }
    }

    private func write(_ alert: StoredCrossing, to writer: inout JSONWriter) {
        let crossing = alert.crossing
        writer.object { writer in
            writer.name("\"id\":")
            writer.value(crossing.id)
            writer.name("\"sequence\":")
            writer.value(alert.sequence)
            writer.name("\"customer\":")
            writer.value(crossing.customer.rawValue)
            writer.name("\"feature\":")
            writer.value(crossing.feature.rawValue)
            writer.name("\"meter\":")
            writer.value(crossing.meter.rawValue)
            writer.name("\"threshold\":")
            writer.value(crossing.threshold.label)
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
            writer.name("\"limit_source\":")
            writer.value(crossing.source)
            writer.name("\"crossed_at\":")
            writer.time(crossing.crossedAt)
            writer.name("\"resolved_at\":")
            writer.time(crossing.resolvedAt)
        }
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
                        writer.name("\"customer\":")
                        writer.value(total.customer.rawValue)
                        writer.name("\"meter\":")
                        writer.value(total.meter.rawValue)
                        writer.name("\"count\":")
                        writer.value(total.count)
                        writer.name("\"value\":")
                        writer.value(total.value)
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
            writer.name("\"events_read\":")
            writer.value(report.eventsRead)
            writer.name("\"events_counted\":")
            writer.value(report.eventsCounted)
            writer.name("\"duplicates\":")
            writer.value(report.duplicates)
            writer.name("\"set_aside\":")
            writer.value(report.setAside)
            writer.name("\"filtered\":")
            writer.value(report.filtered)
            writer.name("\"control_events\":")
            writer.value(report.controlEvents)
            writer.name("\"rows_compared\":")
            writer.value(report.rowsCompared)
            writer.name("\"drifts\":")
            writer.array(report.drifts) { writer, drift in
                writer.object { writer in
                    writer.name("\"customer\":")
                    writer.value(drift.customer)
                    writer.name("\"meter\":")
                    writer.value(drift.meter)
                    writer.name("\"period\":")
                    if let period = drift.period {
                        document.period(period, zone: "UTC", to: &writer)
                    } else {
                        writer.null()
                    }
                    writer.name("\"store\":")
                    writer.value(drift.store)
                    writer.name("\"recounted\":")
                    writer.value(drift.recounted)
                    writer.name("\"stored\":")
                    writer.value(drift.stored)
                }
            }
            writer.name("\"notes\":")
            writer.array(report.notes) { $0.value($1) }
        }
    }
}
