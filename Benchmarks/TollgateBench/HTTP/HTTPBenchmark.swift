import Foundation

/// Decisions over HTTP against nginx's shortest answer: the same client, the same requests, one
/// core for the server and another for the client.
struct HTTPBenchmark {
    let options: BenchOptions
    let report: Report

    private static let customerCount = 1_000
    private static let serverCore = "1"
    private static let clientCore = "0"

    func run() throws {
        let folder = try ScratchFolder()
        let nginx = try nginx(folder)
        defer { nginx.child.stop() }
        let tollgate = try tollgate(folder)
        defer { tollgate.child.stop() }
        var references: [Wrk.Result] = []
        var checks: [Wrk.Result] = []
        let script = try script(folder, name: "check", feature: "tokens")
        for _ in 0..<(options.isSmoke ? 1 : 3) {
            references.append(try load(nginx, "/v1/check", script))
            checks.append(try load(tollgate, "/v1/check", script))
        }
        let reference = Wrk.Result.median(references)
        let check = Wrk.Result.median(checks)
        let ratio = check.requestsPerSecond / reference.requestsPerSecond
        report.add(
            ReportRow(
                name: "HTTP check, one server core", ours: check.text,
                reference: "nginx \(reference.text)", ratio: ratio.short, reachFirst: ">= 0.35",
                isMet: ratio >= 0.35))
        let consume = try load(
            tollgate, "/v1/consume", try self.script(folder, name: "consume", feature: "calls"))
        report.add(ReportRow(name: "HTTP consume (logged)", ours: consume.text))
        let shorter = try self.script(folder, name: "batch", feature: "tokens", batchCount: 100)
        let batch = try load(tollgate, "/v1/check", shorter)
        report.add(
            ReportRow(
                name: "HTTP check, batches of 100",
                ours: (batch.requestsPerSecond * 100).rate + " decisions"))
    }

    private struct Server {
        var child: ChildProcess
        var address: String
    }

    private func load(_ server: Server, _ path: String, _ script: String) throws -> Wrk.Result {
        let before = server.child.processorSeconds()
        var result = try Wrk.run(
            core: Self.clientCore, seconds: options.isSmoke ? 2 : 10, script: script,
            url: "http://\(server.address)\(path)")
        let spent = server.child.processorSeconds() - before
        result.processorMicroseconds = spent / Double(result.requestCount) * 1e6
        return result
    }

    // MARK: servers

    private func nginx(_ folder: ScratchFolder) throws -> Server {
        let port = try FreePort.find()
        let path = folder.path + "/nginx.conf"
        try """
        daemon off; master_process off; worker_processes 1;
        pid \(folder.path)/nginx.pid; error_log /dev/null crit;
        events { worker_connections 256; }
        http {
            access_log off; keepalive_requests 100000000;
            client_body_temp_path \(folder.path)/body; proxy_temp_path \(folder.path)/proxy;
            fastcgi_temp_path \(folder.path)/fastcgi; uwsgi_temp_path \(folder.path)/uwsgi;
            scgi_temp_path \(folder.path)/scgi;
            server { listen 127.0.0.1:\(port); location / { return 200 "ok"; } }
        }

        """.write(toFile: path, atomically: true, encoding: .utf8)
        let child = try ChildProcess([
            "taskset", "-c", Self.serverCore, "nginx", "-c", path, "-p", folder.path,
        ])
        usleep(300_000)
        guard child.isRunning else { throw BenchmarkFailure("nginx did not start") }
        return Server(child: child, address: "127.0.0.1:\(port)")
    }

    private func tollgate(_ folder: ScratchFolder) throws -> Server {
        let catalog = folder.path + "/catalog.yaml"
        try Self.catalog().write(toFile: catalog, atomically: true, encoding: .utf8)
        let child = try ChildProcess([
            "taskset", "-c", Self.serverCore, options.tollgatePath, "serve", "--data-dir",
            folder.path + "/data", "--catalog", catalog, "--http", "127.0.0.1:0", "--admin",
            "127.0.0.1:0", "--log-level", "error",
        ])
        let ready = try child.line(startingWith: "ready ")
        guard
            let address = ready.split(separator: " ").first(where: { $0.hasPrefix("http=") })?
                .dropFirst("http=".count)
        else { throw BenchmarkFailure("no address in `\(ready)`") }
        return Server(child: child, address: String(address))
    }

    private static func catalog() -> String {
        let head = """
            meters:
              - {key: tokens, event_type: llm.request, aggregation: sum, value: $.total_tokens, unit: token}
              - {key: calls, event_type: api.call, aggregation: count}
            features:
              - {key: tokens, type: metered, meter: tokens, counting: events}
              - {key: calls, type: metered, meter: calls, counting: admission}
            plans:
              - key: pro
                entitlements:
                  tokens: {limit: 1000000, period: month, thresholds: [80%, 100%], enforcement: hard}
                  calls: {limit: 1000000000, period: month, enforcement: hard}
            customers:

            """
        let customers = (0..<customerCount).map {
            "  - {id: customer-\($0), subjects: [key-\($0)], "
                + "subscription: {plan: pro, start: 2025-01-31}}\n"
        }
        return head + customers.joined()
    }

    /// A script for wrk that asks for one customer after the other.
    private func script(
        _ folder: ScratchFolder, name: String, feature: String, batchCount: Int = 1
    ) throws -> String {
        let path = folder.path + "/\(name).lua"
        let question =
            #"'{"customer":"customer-' .. (index % \#(Self.customerCount)) .. '","feature":"#
            + "\"\(feature)\",\"quantity\":1}'"
        let body =
            batchCount == 1
            ? "local index = number; return \(question)"
            : """
            local parts = {}
            for offset = 1, \(batchCount) do local index = number + offset; parts[offset] = \(question) end
            return '{"checks":[' .. table.concat(parts, ',') .. ']}'
            """
        try """
        local function body(number) \(body) end
        local requests = {}
        local last = 0
        function init(arguments)
            local headers = {["Content-Type"] = "application/json"}
            for number = 1, 1000 do
                requests[number] = wrk.format("POST", nil, headers, body(number))
            end
        end
        function request()
            last = last % 1000 + 1
            return requests[last]
        end

        """.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }
}
