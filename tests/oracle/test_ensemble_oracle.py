"""Weights against skfolio and Riskfolio-Lib, on random portfolios of real stocks."""

import warnings

import numpy as np
import pytest

from workspace_kit.analysis.weights import Choices, weigh_members

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    datasets = pytest.importorskip("skfolio.datasets")
    optimization = pytest.importorskip("skfolio.optimization")
    seriation = pytest.importorskip("skfolio.seriation")
    cluster = pytest.importorskip("skfolio.cluster")
    riskfolio = pytest.importorskip("riskfolio")

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]

CONFIGURATIONS = 200
LINKAGES = ("single", "complete", "average", "ward")


@pytest.fixture(scope="module")
def stocks():
    return datasets.load_sp500_dataset().pct_change().dropna()


def samples(stocks, seed):
    """Random members over a random window, and a random cap and linkage."""
    generator = np.random.default_rng(seed)
    for _ in range(CONFIGURATIONS):
        members, bars = int(generator.integers(2, 13)), int(generator.integers(60, 1000))
        first = int(generator.integers(0, len(stocks) - bars))
        chosen = sorted(generator.choice(stocks.shape[1], members, replace=False))
        cap = float(min(1.0, generator.uniform(1.2, 4.0) / members))
        linkage = LINKAGES[int(generator.integers(len(LINKAGES)))]
        yield stocks.iloc[first : first + bars, chosen], Choices(cap=cap, temperature=1.0, linkage=linkage)


def ours(returns, method, choices):
    return weigh_members(returns.to_numpy(), [1.0] * returns.shape[1], method=method, choices=choices).values


def report(name, differences, tolerance):
    print(f"{name}: {len(differences)} configurations, largest difference {max(differences):.1e}")  # noqa: T201
    assert max(differences) <= tolerance


def uncapped(choices):
    return Choices(cap=1.0, temperature=1.0, linkage=choices.linkage)


def test_inverse_volatility_agrees_with_skfolio(stocks):
    differences = [
        np.abs(
            ours(returns, "inverse_volatility", uncapped(choices))
            - optimization.InverseVolatility().fit(returns).weights_
        ).max()
        for returns, choices in samples(stocks, 1)
    ]
    report("inverse volatility, weights", differences, 1e-12)


def test_the_variance_of_capped_minimum_variance_is_no_higher_than_skfolio_s(stocks):
    above, apart = [], []
    for returns, choices in samples(stocks, 2):
        covariance = np.cov(returns.to_numpy().T)
        mine = ours(returns, "minimum_variance", choices)
        theirs = optimization.MeanRisk(max_weights=choices.cap).fit(returns).weights_
        variances = [weights @ covariance @ weights for weights in (mine, theirs)]
        above.append(variances[0] / variances[1] - 1)
        apart.append(abs(variances[0] / variances[1] - 1))
    report("minimum variance, variance above theirs", above, 1e-9)
    report("minimum variance, variance apart", apart, 1e-5)


def test_risk_parity_agrees_with_skfolio(stocks):
    differences = [
        np.abs(
            ours(returns, "risk_parity", uncapped(choices))
            - optimization.RiskBudgeting().fit(returns).weights_
        ).max()
        for returns, choices in samples(stocks, 3)
    ]
    report("risk parity, weights", differences, 1e-4)


def test_hierarchical_risk_parity_agrees_with_skfolio(stocks):
    differences = []
    for returns, choices in samples(stocks, 4):
        joined = cluster.HierarchicalClustering(linkage_method=cluster.LinkageMethod(choices.linkage))
        order = seriation.HierarchicalSeriation(hierarchical_clustering_estimator=joined)
        theirs = optimization.HierarchicalRiskParity(seriation_estimator=order).fit(returns).weights_
        differences.append(
            np.abs(ours(returns, "hierarchical_risk_parity", uncapped(choices)) - theirs).max()
        )
    report("hierarchical risk parity against skfolio, weights", differences, 1e-9)


def test_hierarchical_risk_parity_agrees_with_riskfolio(stocks):
    differences = []
    for returns, choices in samples(stocks, 5):
        portfolio = riskfolio.HCPortfolio(returns=returns)
        theirs = portfolio.optimization(
            model="HRP", codependence="pearson", rm="MV", rf=0, linkage=choices.linkage, leaf_order=True
        )
        theirs = theirs["weights"].reindex(returns.columns).to_numpy()
        differences.append(
            np.abs(ours(returns, "hierarchical_risk_parity", uncapped(choices)) - theirs).max()
        )
    report("hierarchical risk parity against Riskfolio-Lib, weights", differences, 1e-9)
