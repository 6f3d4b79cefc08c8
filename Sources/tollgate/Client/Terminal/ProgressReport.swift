/// Shows how far long work has come: a bar that redraws itself on a terminal, otherwise a line
/// every few seconds.
struct ProgressReport {
    private static let redrawInterval = Duration.milliseconds(100)
    private static let lineInterval = Duration.seconds(5)
    private static let barWidth = 30

    private let total: Int
    private let isQuiet: Bool
    private let isInteractive: Bool
    private let started = ContinuousClock.now
    private var lastShown: ContinuousClock.Instant?

    /// - Parameter total: number of events; must be known beforehand.
    init(total: Int, isQuiet: Bool) {
        self.total = total
        self.isQuiet = isQuiet
        isInteractive = Terminal.showsProgress
        // The first plain line comes after an interval; the bar shows at once.
        lastShown = isInteractive ? nil : started
    }

    var elapsedSeconds: Double {
        let elapsed = (ContinuousClock.now - started).components
        return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
    }

    mutating func show(done: Int, note: String = "") {
        if isQuiet { return }
        let now = ContinuousClock.now
        let interval = isInteractive ? Self.redrawInterval : Self.lineInterval
        if let lastShown, now - lastShown < interval { return }
        lastShown = now
        let text = Self.line(
            done: done, total: total, seconds: elapsedSeconds, withBar: isInteractive)
        let line = note.isEmpty ? text : text + "  " + note
        if isInteractive { Terminal.transient(line) } else { Terminal.message(line) }
    }

    /// Takes the bar away.
    func finish() {
        if !isQuiet, isInteractive { Terminal.transient("") }
    }

    static func line(done: Int, total: Int, seconds: Double, withBar: Bool) -> String {
        let percent = total == 0 ? 100 : min(100, done * 100 / total)
        var text = ""
        if withBar {
            let filled = percent * barWidth / 100
            text += "[" + String(repeating: "#", count: filled)
            text += String(repeating: "-", count: barWidth - filled) + "] "
        }
        text += "\(percent) %  \(TextTable.grouped(String(done)))"
        text += " of \(TextTable.grouped(String(total))) events"
        if seconds > 0.2 { text += "  \(rate(done, seconds: seconds))" }
        return text
    }

    static func rate(_ count: Int, seconds: Double) -> String {
        let perSecond = seconds > 0 ? Int(Double(count) / seconds) : count
        return TextTable.grouped(String(perSecond)) + " events/s"
    }
}
