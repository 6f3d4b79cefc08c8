import ArgumentParser

/// How long usage is kept by hour and by day; by month it is kept for ever.
struct RollupOptions: ParsableArguments {
    @Option(help: "Days that usage is kept by the hour; 400.") var rollupHoursDays: Int64?
    @Option(help: "Days that usage is kept by the day; 1100, and 0 for ever.")
    var rollupDaysDays: Int64?

    /// Long enough for the longest month with its grace, and for comparing it with the one before.
    private static let hoursDaysMin: Int64 = 62
    private static let daysMax: Int64 = 36_500

    /// - Parameter value: what flag, environment or file say of a name.
    func resolve(
        into result: inout Configuration, _ value: (String?, String) throws -> String?
    ) throws {
        if let text = try value(rollupHoursDays.map(String.init), "rollup-hours-days") {
            guard let days = Int64(text), (Self.hoursDaysMin...Self.daysMax).contains(days) else {
                throw ConfigurationError(
                    "--rollup-hours-days must be \(Self.hoursDaysMin) to \(Self.daysMax), "
                        + "not `\(text)`")
            }
            result.rollupHoursDays = days
        }
        if let text = try value(rollupDaysDays.map(String.init), "rollup-days-days") {
            guard let days = Int64(text), (0...Self.daysMax).contains(days) else {
                throw ConfigurationError(
                    "--rollup-days-days must be 0 (for ever) to \(Self.daysMax), not `\(text)`")
            }
            result.rollupDaysDays = days
        }
        if result.rollupDaysDays > 0, result.rollupDaysDays < result.rollupHoursDays {
            throw ConfigurationError(
                "--rollup-days-days \(result.rollupDaysDays) is less than --rollup-hours-days "
                    + "\(result.rollupHoursDays); usage by the day is kept at least as long")
        }
    }
}
