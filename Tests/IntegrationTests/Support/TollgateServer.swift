import Foundation
import Glibc
import Synchronization
import Testing

/// `tollgate serve` as a child process on a data directory that outlives it.
final class TollgateServer: Sendable {
    let folder: TestFolder
    private let catalog: String
    private let extra: [String]
    private let wrapper: [String]
    private let state = Mutex(State())

    private struct State {
        var child: ChildProcess?
        var http = 0
        var admin = 0
        var startCount = 0
    }

    /// - Parameters:
    ///   - extra: more flags; a flag given here wins over the one the harness would give.
    ///   - wrapper: a command that ends by running the program with its arguments.
    init(catalog: String, extra: [String] = [], wrapper: [String] = []) throws {
        folder = try TestFolder()
        self.catalog = try folder.file("catalog.yaml", catalog)
        self.extra = extra
        self.wrapper = wrapper
    }

    var dataDirectory: String { folder.path + "/data" }
    var port: Int { state.withLock { $0.http } }
    var adminPort: Int { state.withLock { $0.admin } }
    var child: ChildProcess? { state.withLock { $0.child } }

    /// Starts the process without waiting for it to be ready.
    /// - Parameter admin: a port for the operator's listener, to be asked before it is ready.
    func launch(admin: Int = 0) throws {
        let number = state.withLock { state in
            state.startCount += 1
            return state.startCount
        }
        var arguments = [
            "serve", "--data-dir", dataDirectory, "--catalog", catalog, "--http", "127.0.0.1:0",
            "--admin", "127.0.0.1:\(admin)",
        ]
        for index in stride(from: 0, to: extra.count - 1, by: 2) {
            if let known = arguments.firstIndex(of: extra[index]) {
                arguments.removeSubrange(known...(known + 1))
            }
        }
        let command = wrapper + [try Places.program()] + arguments + extra
        let child = try ChildProcess(
            command[0], Array(command[1...]), folder: folder, name: "serve-\(number)")
        state.withLock { state in
            state.child = child
            state.admin = admin
            state.http = 0
        }
    }

    /// Waits for the line that tells the ports.
    func waitUntilReady(within seconds: Int = 60) async throws {
        guard let child else { throw Unmet("the server was not launched") }
        let line = try await eventually("ready line", within: seconds) { () -> String? in
            if child.hasEnded { throw Unmet("the server ended: \(child.errors.suffix(2_000))") }
            return child.output.split(whereSeparator: \.isNewline)
                .first { $0.hasPrefix("ready ") }.map(String.init)
        }
        func port(_ name: String) throws -> Int {
            let part = line.split(separator: " ").first { $0.hasPrefix(name + "=") }
            guard let text = part?.split(separator: ":").last, let port = Int(text) else {
                throw Unmet("no \(name) in: \(line)")
            }
            return port
        }
        let (http, admin) = (try port("http"), try port("admin"))
        state.withLock { state in
            state.http = http
            state.admin = admin
        }
    }

    func start() async throws {
        try launch()
        try await waitUntilReady()
    }

    func killAtOnce() async throws {
        try await child?.killAtOnce()
        state.withLock { $0.http = 0 }
    }

    /// SIGTERM.
    /// - Returns: the exit code.
    func stop() async throws -> Int32 {
        guard let child else { throw Unmet("the server was not launched") }
        child.send(SIGTERM)
        return try await child.exitCode()
    }

    func killAndRestart() async throws {
        try await killAtOnce()
        try await start()
    }
}

// MARK: one request on a connection of its own

extension TollgateServer {
    func post(
        _ path: String, _ body: String, type: String = "application/json",
        headers: [String: String] = [:]
    ) async throws -> HTTPAnswer {
        try await post(path, bytes: Array(body.utf8), type: type, headers: headers)
    }

    func post(
        _ path: String, bytes: [UInt8], type: String = "application/json",
        headers: [String: String] = [:]
    ) async throws -> HTTPAnswer {
        let port = port
        return try await onThread {
            try HTTPConnection(port: port).send(
                "POST", path, type: type, body: bytes, headers: headers)
        }
    }

    func get(_ path: String, port: Int? = nil) async throws -> HTTPAnswer {
        let port = port ?? self.port
        return try await onThread { try HTTPConnection(port: port).send("GET", path) }
    }

    func admin(_ path: String) async throws -> HTTPAnswer { try await get(path, port: adminPort) }

    func decision(_ path: String, _ body: String) async throws -> DecisionAnswer {
        let answer = try await post(path, body)
        guard answer.status == 200 else { throw Unmet("\(answer.status): \(answer.text)") }
        return try answer.read()
    }

    func totals() async throws -> Set<Totals.Row> {
        Set(try await get("/v1/totals").read(Totals.self).totals)
    }

    func reconcile() async throws -> Reconciliation {
        let answer = try await post("/v1/reconcile", "")
        guard answer.status == 200 else { throw Unmet("\(answer.status): \(answer.text)") }
        let report: Reconciliation = try answer.read()
        // Whatever was read has become one of these, and nothing was dropped.
        let outcomes =
            report.events_counted + report.duplicates + report.set_aside + report.filtered
            + report.control_events
        #expect(report.events_read == outcomes, "\(answer.text)")
        return report
    }

    /// Every page.
    func alerts() async throws -> [Alerts.Alert] {
        var all: [Alerts.Alert] = []
        var cursor: String?
        repeat {
            let page = try await get(
                "/v1/alerts?limit=7" + (cursor.map { "&cursor=\($0)" } ?? "")
            ).read(Alerts.self)
            all += page.alerts
            cursor = page.next
        } while cursor != nil
        return all
    }

    /// Every page.
    func setAside(_ kind: String? = nil) async throws -> [SetAside.Event] {
        var all: [SetAside.Event] = []
        var cursor: String?
        repeat {
            var path = "/v1/dead-letters?limit=100"
            if let kind { path += "&kind=\(kind)" }
            if let cursor { path += "&cursor=\(cursor)" }
            let page = try await get(path).read(SetAside.self)
            all += page.events
            cursor = page.next
        } while cursor != nil
        return all
    }

    /// Waits until the totals are as expected; the last ones seen otherwise.
    func settled(_ expected: Set<Totals.Row>, within seconds: Int = 40) async throws
        -> Set<Totals.Row>
    {
        let deadline = ContinuousClock.now.advanced(by: .seconds(seconds))
        while true {
            let seen = try await totals()
            if seen == expected || ContinuousClock.now >= deadline { return seen }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}

/// A TCP port of loopback that nobody listens on at this moment.
func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    // SAFETY: `address` and `size` are locals that outlive the calls.
    let code = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            let bound = unsafe bind(descriptor, $0, size)
            return unsafe bound == 0 ? getsockname(descriptor, $0, &size) : bound
        }
    }
    guard code == 0 else { throw Unmet("no free port: errno \(errno)") }
    return Int(UInt16(bigEndian: address.sin_port))
}
