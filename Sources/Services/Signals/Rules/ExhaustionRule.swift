import Entitlements
import Forecasting
import MeteringModel
import MeteringPorts

/// A limit that will be reached before its period ends, if usage goes on as it did.
enum ExhaustionRule {
    static func forecast(
        _ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts
    ) -> Exhaustion? {
        guard !own.isDenied, let limit = own.limit.finite, limit > 0, own.used > 0,
            let history = facts.histories[own.quota.meter], history.isAdditive
        else { return nil }
        return Exhaustion.forecast(
            UsageModel(history.days), used: own.used, limit: limit, now: facts.now,
            end: own.period.end, zone: facts.zone)
    }

    static func signal(_ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts) -> Signal? {
        guard let limit = own.limit.finite, let forecast = forecast(own, facts),
            let first = forecast.expected ?? forecast.earliest
        else { return nil }
        let zone = facts.zone
        func day(_ instant: Timestamp) -> String { SignalText.date(instant, zone) }
        let lastDay = SignalText.lastDay(of: own.period, zone)
        var reason =
            "\(facts.id) has used \(own.text(own.used)) of its \(own.text(limit)) \(own.name) "
            + "(\(own.shareText(own.used.share(of: limit))))"
        if let expected = forecast.expected {
            reason += "; \(Self.pace(forecast.method)) the limit is reached on \(day(expected))"
            reason += range(forecast, lastDay, day)
        } else {
            reason += "; if usage runs high, the limit may be reached on \(day(first))"
            reason += ", before the period ends on \(lastDay)"
        }
        let daysLeft = first.microseconds(since: facts.now) / 86_400_000_000
        let isHard = own.quota.enforcement == .hard
        let isExpected = forecast.expected != nil
        let severity: SignalSeverity =
            switch daysLeft {
            case _ where !isExpected: .low
            case ...3: isHard ? .critical : .high
            case ...7: isHard ? .high : .medium
            default: isHard ? .medium : .low
            }
        func units(_ value: Double) -> JSONValue { own.number(Estimate.units(value)) }
        var numbers: [String: JSONValue] = [
            "used": own.number(own.used), "limit": own.number(limit),
            "method": .string(forecast.method.rawValue),
            "projected_used": units(forecast.atPeriodEnd.expected),
            "projected_used_low": units(forecast.atPeriodEnd.low),
            "projected_used_high": units(forecast.atPeriodEnd.high),
        ]
        let instants = [
            "expected_at": forecast.expected, "earliest_at": forecast.earliest,
            "latest_at": forecast.latest,
        ]
        for (name, instant) in instants {
            numbers[name] = instant.map { SignalDocument.time($0, zone) } ?? .null
        }
        var signal = facts.signal(
            .projectedExhaustion, own.quota.feature, of: own.period.start, severity,
            score: isExpected ? max(30, 90 - 2 * Int(min(daysLeft, 100))) : 20,
            reason: reason + ".", numbers: numbers, basis: [own.basis], scale: own.scale)
        signal.shareBasisPoints = own.shareBasisPoints
        signal.thresholdShares = own.thresholdShares
        return signal
    }

    private static func pace(_ method: UsageModel.Method) -> String {
        method == .weekdaySeasonal
            ? "going on as on the weekdays of the last four weeks," : "at the mean of recent days,"
    }

    private static func range(
        _ forecast: Exhaustion, _ lastDay: String, _ day: (Timestamp) -> String
    ) -> String {
        let earliest = forecast.earliest.map(day)
        guard let latest = forecast.latest.map(day) else {
            return ", at the earliest on \(earliest ?? lastDay), and if usage runs low not before "
                + "the period ends on \(lastDay)"
        }
        if earliest == latest { return "" }
        return " (between \(earliest ?? latest) and \(latest))"
    }
}
