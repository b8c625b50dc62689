namespace Postrider.Hosting;

/// <summary>Whether this process should be given work.</summary>
/// <param name="storageFailed">Of the store in use.</param>
sealed class Readiness(IHostApplicationLifetime lifetime, Func<bool> storageFailed)
{
    /// <summary>Null: it should.</summary>
    public string? WhyNot => IsDraining ? "draining" : storageFailed() ? "storage" : null;

    public bool IsDraining => lifetime.ApplicationStopping.IsCancellationRequested;
}
