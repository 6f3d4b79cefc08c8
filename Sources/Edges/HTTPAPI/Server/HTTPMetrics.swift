internal import NIOHTTP1
internal import Synchronization

/// Counters of one event loop. Only that loop writes, anyone may read: an increment is a plain
/// load and store, without a bus lock.
final class HTTPMetrics: Sendable {
    static let routeCountMax = 160
    private static let classCount = 5
    /// Upper bounds in nanoseconds.
    static let bounds: [UInt64] = [
        5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        10_000_000, 100_000_000,
    ]
    static let boundLabels = [
        "0.000005", "0.00001", "0.000025", "0.00005", "0.0001", "0.00025", "0.0005", "0.001",
        "0.0025", "0.01", "0.1",
    ]

    private let requests: InlineArray<805, Atomic<UInt64>> = .init { _ in Atomic(0) }
    private let durations: InlineArray<12, Atomic<UInt64>> = .init { _ in Atomic(0) }
    private let durationNanoseconds = Atomic<UInt64>(0)

    /// `routeIndex` −1 stands for requests that matched no route.
    func countRequest(routeIndex: Int, status: Int) {
        let slot = (routeIndex + 1) * Self.classCount + min(max(status / 100, 1), 5) - 1
        if slot < 805 { Self.add(1, to: requests[slot]) }
    }

    func countCheck(nanoseconds: UInt64) {
        var bucket = 0
        while bucket < Self.bounds.count, nanoseconds > Self.bounds[bucket] { bucket += 1 }
        Self.add(1, to: durations[bucket])
        Self.add(nanoseconds, to: durationNanoseconds)
    }

    @inline(__always)
    private static func add(_ amount: UInt64, to cell: borrowing Atomic<UInt64>) {
        cell.store(cell.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    func requestCount(routeIndex: Int, statusClass: Int) -> UInt64 {
        requests[(routeIndex + 1) * Self.classCount + statusClass - 1].load(ordering: .relaxed)
    }

    func durationCount(bucket: Int) -> UInt64 { durations[bucket].load(ordering: .relaxed) }
    var durationSum: UInt64 { durationNanoseconds.load(ordering: .relaxed) }
}

/// Prometheus text of what the edge counts about itself, summed over its loops.
enum HTTPMetricsText {
    static func render(loops: [HTTPMetrics], router: Router, edge: Edge) -> String {
        var text = """
            # HELP tollgate_http_requests_total Requests answered, by route and status class.
            # TYPE tollgate_http_requests_total counter

            """
        for index in -1..<router.routes.count {
            let route = index < 0 ? nil : router.routes[index]
            for statusClass in 1...5 {
                let count = loops.reduce(0) {
                    $0 + $1.requestCount(routeIndex: index, statusClass: statusClass)
                }
                if count == 0 { continue }
                text += "tollgate_http_requests_total{method=\"\(route?.method.rawValue ?? "")\","
                text += "route=\"\(route?.pattern ?? "none")\",status=\"\(statusClass)xx\"}"
                text += " \(count)\n"
            }
        }
        text += """
            # HELP tollgate_check_duration_seconds From a check's last byte to its answer's bytes.
            # TYPE tollgate_check_duration_seconds histogram

            """
        var total: UInt64 = 0
        for bucket in 0...HTTPMetrics.bounds.count {
            total += loops.reduce(0) { $0 + $1.durationCount(bucket: bucket) }
            let label =
                bucket < HTTPMetrics.boundLabels.count ? HTTPMetrics.boundLabels[bucket] : "+Inf"
            text += "tollgate_check_duration_seconds_bucket{protocol=\"http\",le=\"\(label)\"}"
            text += " \(total)\n"
        }
        let sum = loops.reduce(0) { $0 + $1.durationSum }
        text += "tollgate_check_duration_seconds_sum{protocol=\"http\"} \(Double(sum) / 1e9)\n"
        text += "tollgate_check_duration_seconds_count{protocol=\"http\"} \(total)\n"
        text += gauge(
            "tollgate_http_connections", "Open API connections.",
            edge.connectionCount)
        text += gauge(
            "tollgate_http_requests_in_flight", "Requests that a task is answering.",
            edge.requestsInFlight)
        text += gauge(
            "tollgate_http_buffered_bytes", "Request bodies held in memory.",
            edge.bufferedBytes)
        text += counter(
            "tollgate_http_connections_refused_total", "Connections over the bound.",
            edge.refusedConnectionCount)
        text += counter(
            "tollgate_http_shed_total", "Requests told 503 because a bound was reached.",
            edge.shedCount)
        return text
    }

    private static func gauge(_ name: String, _ help: String, _ value: Int) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) gauge\n\(name) \(value)\n"
    }

    private static func counter(_ name: String, _ help: String, _ value: Int) -> String {
        "# HELP \(name) \(help)\n# TYPE \(name) counter\n\(name) \(value)\n"
    }
}
