namespace Postrider.Hosting;

/// <summary>Whether this process should be given work.</summary>
/// <param name="whyNoStorage">Of the store in use: <c>storage</c> failed, <c>storage-low</c>; null: it takes mail.</param>
sealed class Readiness(IHostApplicationLifetime lifetime, Func<string?> whyNoStorage)
{
    /// <summary>Null: it should.</summary>
    public string? WhyNot => IsDraining ? "draining" : whyNoStorage();

    public bool IsDraining => lifetime.ApplicationStopping.IsCancellationRequested;
}
