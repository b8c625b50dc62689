using BenchmarkDotNet.Running;
using Postrider.Benchmarks;
using Postrider.Benchmarks.WholeSystem;

if (args is ["whole-system", .. var rest])
{
    using var stop = new CancellationTokenSource();
    Console.CancelKeyPress += (_, pressed) =>
    {
        pressed.Cancel = true; // so that every server that was started is stopped
        stop.Cancel();
    };
    await WholeSystemBenchmark.RunAsync(rest, stop.Token);
}
else if (args is ["store", .. var storeOptions])
    await StoreThroughput.RunAsync(storeOptions);
else
    BenchmarkSwitcher.FromAssembly(typeof(WholeSystemBenchmark).Assembly).Run(args);
