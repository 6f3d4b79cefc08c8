import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// One customer under both catalogs.
///
/// All past usage counts on both sides, as if nothing had been refused: what a hard limit would
/// have stopped is told beside the revenue, not taken off it.
struct CustomerSimulation {
    struct Outcome {
        var usage: [Currency: Int64] = [:]
        var fees: [Currency: Int64] = [:]
        var warnings: [QuotaReplay.Warning] = []
        var stops: [QuotaReplay.Stop] = []

        var currencies: Set<Currency> { Set(usage.keys).union(fees.keys) }
    }
    let customer: CustomerID
    private(set) var plan: PlanKey?
    private(set) var zone = TimeZoneRules.utc
    private(set) var live = Outcome()
    private(set) var draft = Outcome()
    private(set) var notes: [String] = []

    private let contract: CustomerContract
    private let sources: SimulationSources

    /// - Throws: a store that cannot be read.
    init(
        _ contract: CustomerContract, _ window: Period, live: SimulationSide,
        draft: SimulationSide, _ sources: SimulationSources
    ) throws(ControlProblem) {
        self.contract = contract
        self.sources = sources
        customer = contract.id
        let owner: CompiledCustomer
        switch live.customer(contract) {
        case .success(let found?): owner = found
        case .success(nil): return
        case .failure(let issues):
            notes = ["not compared, since it does not fit the live catalog: \(issues)"]
            return
        }
        zone = owner.zone
        plan = owner.segment(at: Timestamp(microseconds: window.end.microseconds - 1)).plan
        let curve = UsageCurve(
            customer, zone, sources.cumulative,
            meters: Set(live.definitions.meters.map(\.key)))
        self.live = try outcome(live, owner, window, curve)
        switch draft.customer(contract) {
        case .success(let shadow?): self.draft = try outcome(draft, shadow, window, curve)
        case .success(nil): break
        case .failure(let issues):
            notes.append("nothing under the draft, since it does not fit: \(issues)")
        }
        try noteWhatIsGone(window)
    }

    /// Usage of long ago is kept in wider windows only.
    private mutating func noteWhatIsGone(_ window: Period) throws(ControlProblem) {
        let kept: RollupsKept
        do throws(LedgerError) { kept = try sources.rollupsKept() } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
        // Periods that end within the window may begin a year before it; their cuts lie where they
        // do, so only the window itself is told of.
        if window.start < kept.daysFrom {
            notes.append(
                "usage before \(SignalText.date(kept.daysFrom, zone)) is kept by the month: in "
                    + "periods that are cut within one, it counts where its month begins")
        } else if window.start < kept.hoursFrom {
            notes.append(
                "usage before \(SignalText.date(kept.hoursFrom, zone)) is kept by the day: it "
                    + "counts, and is told, where its day begins")
        }
    }

    /// Never billed: not production's.
    static func isBillable(_ contract: CustomerContract) -> Bool {
        contract.profile.steps.last { $0.value != nil }?.value?.environment.isBillable ?? false
    }

    private mutating func outcome(
        _ side: SimulationSide, _ owner: CompiledCustomer, _ window: Period, _ curve: UsageCurve
    ) throws(ControlProblem) -> Outcome {
        var replay = QuotaReplay(owner, side.definitions, curve)
        do throws(LedgerError) { try replay.run(window) } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
        var outcome = Outcome(warnings: replay.warnings, stops: replay.stops)
        for note in replay.notes where !notes.contains(note) { notes.append(note) }
        for line in replay.lines { add(line, to: &outcome.usage) }
        let account = try side.account(contract, owner.zone, sources.contracts)
        do throws(RatingError) {
            for line in try FeeRating.lines(account, dueIn: window) {
                add(line, to: &outcome.fees)
            }
        } catch {
            notes.append("fees are not rated: \(error.message)")
        }
        return outcome
    }

    private mutating func add(_ line: RatedLine, to sums: inout [Currency: Int64]) {
        let (sum, isOver) = sums[line.currency, default: 0]
            .addingReportingOverflow(line.amount)
        if isOver { notes.append("an amount in \(line.currency) is too large to be summed up") }
        sums[line.currency] = isOver ? sums[line.currency] : sum
    }

    // MARK: the answer

    var document: JSONValue {
        .members([
            "customer": .string(customer.rawValue),
            "plan": plan.map { .string($0.rawValue) },
            "time_zone": .string(zone.name),
            "revenue": RevenueDocument.array(live, draft),
            "warned": both { $0.warnings.map(warning) },
            "stopped": both { $0.stops.map(stop) },
            "notes": .array(notes.map { .string($0) }),
        ])
    }

    private func both(_ body: (Outcome) -> [JSONValue]) -> JSONValue {
        .object(["live": .array(body(live)), "draft": .array(body(draft))])
    }

    private func warning(_ warning: QuotaReplay.Warning) -> JSONValue {
        .members([
            "feature": .string(warning.feature.rawValue),
            "period": period(warning.period), "threshold": .string(warning.threshold),
            "limit": warning.limit.map { quantity($0, warning.scale) },
            "at": SignalDocument.time(warning.at, zone),
        ])
    }

    private func stop(_ stop: QuotaReplay.Stop) -> JSONValue {
        .members([
            "feature": .string(stop.feature.rawValue), "period": period(stop.period),
            "limit": quantity(stop.limit, stop.scale),
            "refused": quantity(stop.refused, stop.scale),
            "at": SignalDocument.time(stop.at, zone),
        ])
    }

    private func period(_ period: Period) -> JSONValue {
        .object([
            "start": SignalDocument.time(period.start, zone),
            "end": SignalDocument.time(period.end, zone),
        ])
    }

    private func quantity(_ units: Int64, _ scale: Int) -> JSONValue {
        .number(DecimalQuantity.text(units: units, scale: scale))
    }
}

/// Revenue of both sides, currency by currency; amounts are decimal texts.
enum RevenueDocument {
    static func array(
        _ live: CustomerSimulation.Outcome, _ draft: CustomerSimulation.Outcome
    ) -> JSONValue {
        .array(
            live.currencies.union(draft.currencies).sorted().map { currency in
                let (before, after) = (side(live, currency), side(draft, currency))
                return .object([
                    "currency": .string(currency.code), "live": before.document(currency),
                    "draft": after.document(currency),
                    "difference": .string(
                        text(after.total.subtractingSaturated(before.total), currency)),
                ])
            })
    }

    private struct Side {
        var usage: Int64
        var fees: Int64
        var total: Int64 { usage.addingSaturated(fees) }

        func document(_ currency: Currency) -> JSONValue {
            .object([
                "usage": .string(text(usage, currency)), "fees": .string(text(fees, currency)),
                "total": .string(text(total, currency)),
            ])
        }
    }

    private static func side(
        _ outcome: CustomerSimulation.Outcome, _ currency: Currency
    ) -> Side {
        Side(usage: outcome.usage[currency] ?? 0, fees: outcome.fees[currency] ?? 0)
    }

    static func text(_ units: Int64, _ currency: Currency) -> String {
        let places = currency.minorUnitPlaces
        return ExactDecimal(units: Int128(units), scale: places).text(placesMin: places)
    }
}
