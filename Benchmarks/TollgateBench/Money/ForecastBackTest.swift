import Forecasting
import Foundation
import MeteringModel

/// How wrong forecasts are: reported, never asserted.
///
/// Two series. A made-up year with a weekly season, growth and noise, by the day: what the method
/// is for. And the real trace that the deployment ships, which is one hour of traffic: its minutes
/// stand in for days, and have no weekdays, so only the run rate is tried there.
struct ForecastBackTest {
    let options: BenchOptions
    let report: Report

    func run() throws {
        let year = SyntheticUsage.days(
            options.isSmoke ? 120 : 365, from: CivilDate(year: 2026, month: 1, day: 1), zone: .utc,
            mean: 10_000, growth: 0.3, noise: 0.1, seed: 42)
        for horizon in [1, 7, 28] {
            add("made-up year, weekdays, \(horizon) days ahead", year, horizon)
        }
        var plain = year
        for index in plain.indices { plain[index].group = 0 }
        add("the same by run rate, 7 days ahead", plain, 7)
        let trace = try trace()
        for horizon in [1, 10] { add("trace, minutes as days, \(horizon) ahead", trace, horizon) }
    }

    private func add(_ name: String, _ series: [UsageStep], _ horizon: Int) {
        let result = BackTest.run(series, horizon: horizon)
        func percent(_ share: Double?) -> String {
            share.map { ($0 * 100).short + " %" } ?? "-"
        }
        report.add(
            ReportRow(
                name: "forecast error: \(name)",
                ours: "MAPE \(percent(result.meanAbsolutePercentage)), sMAPE "
                    + percent(result.symmetricPercentage),
                reference: "range holds \(percent(result.coverage)) of \(result.cutCount) (80 %)"))
    }

    /// Tokens per minute of the trace.
    private func trace() throws -> [UsageStep] {
        let path = "deploy/data/azure_llm_code_2023.csv"
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw BenchmarkFailure("\(path) is not here; run from the root of the repository")
        }
        var values: [(at: Timestamp, value: Double)] = []
        for line in text.split(whereSeparator: \.isNewline).dropFirst() {
            let cells = line.split(separator: ",")
            guard cells.count == 3, let context = Double(cells[1]), let made = Double(cells[2]),
                let at = Timestamp(
                    rfc3339: cells[0].prefix(19).replacing(" ", with: "T") + "Z")
            else { continue }
            values.append((at, context + made))
        }
        // The first and the last minute were cut off by the trace.
        return Array(DayCalendar.steps(of: values, secondsEach: 60).dropFirst().dropLast())
    }
}
