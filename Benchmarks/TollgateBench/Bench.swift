import ArgumentParser
import Foundation

/// Runs the benchmarks and prints one table. Figures depend on the machine and its other work, so
/// every target is a ratio taken in the same run; nothing here fails for being slow.
@main
struct Bench: AsyncParsableCommand {
    enum Part: String, CaseIterable, ExpressibleByArgument {
        case decisions, checks, near, decode, ledger, rollups, memory, kafka, http, rating
        case webhooks, forecasts, desk
    }

    static let configuration = CommandConfiguration(
        commandName: "tollgate-bench",
        abstract: "Measures Tollgate beside what it is built on.")

    @Flag(help: "Small sizes and short runs: shows that it works, not how fast it is.")
    var smoke = false
    @Option(help: "Only this part; repeatable.") var only: [Part] = []
    @Option(help: "The tollgate program; default: beside this one.") var tollgate: String?
    @Option(help: "Runs per figure, of which the median counts.") var runs = 3

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let beside = URL(fileURLWithPath: CommandLine.arguments[0])
            .deletingLastPathComponent().appendingPathComponent("tollgate").path
        let options = BenchOptions(
            isSmoke: smoke, runs: smoke ? 1 : max(1, runs), tollgatePath: tollgate ?? beside)
        let report = Report()
        var failures: [String] = []
        for part in Part.allCases where only.isEmpty || only.contains(part) {
            Report.say("\(part.rawValue) …")
            do {
                switch part {
                case .decisions: try DecisionBenchmark(options: options, report: report).run()
                case .checks: try CheckBenchmark(options: options, report: report).run()
                case .near: try NearLimitBenchmark(options: options, report: report).run()
                case .decode: try DecodeBenchmark(options: options, report: report).run()
                case .ledger: try LedgerBenchmark(options: options, report: report).run()
                case .rollups: try RollupBenchmark(options: options, report: report).run()
                case .memory:
                    try await MeteringBenchmark(options: options, report: report).fromMemory()
                case .kafka:
                    try await MeteringBenchmark(options: options, report: report).fromKafka()
                case .http: try HTTPBenchmark(options: options, report: report).run()
                case .rating: try RatingBenchmark(options: options, report: report).run()
                case .webhooks:
                    try await WebhookBenchmark(options: options, report: report).run()
                case .forecasts: try ForecastBackTest(options: options, report: report).run()
                case .desk: try await DeskBenchmark(options: options, report: report).run()
                }
            } catch {
                failures.append("\(part.rawValue): \(error)")
                Report.say("  failed: \(error)")
            }
        }
        print(report.table())
        print("\(report.missedCount) of the targets missed" + (smoke ? " (smoke run)" : ""))
        for failure in failures { print("FAILED \(failure)") }
        if !failures.isEmpty { throw ExitCode(1) }
    }
}

struct BenchOptions {
    var isSmoke: Bool
    var runs: Int
    var tollgatePath: String
}
