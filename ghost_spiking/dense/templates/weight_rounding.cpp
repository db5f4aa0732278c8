{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% set _float = c_data_type(variables['_matrix'].dtype) %}
{% block extra_headers %}
{% include 'pool_bits.h' %}
{% endblock %}

{% block maincode %}
    {{_macros.scalars(scalar_code, vector_code)}}
    const int32_t _levels = {{get_array_name(variables['levels'])}}[0];
    if (_when && _levels > 0)
    {
        const uint64_t _key = pool_key(_seed, _presentation, 255, {{stream}});
        const uint32_t _first = (uint32_t)_key, _second = (uint32_t)(_key >> 32);
        const {{_float}} _step = {{get_array_name(variables['largest'])}}[0] / _levels, _most = _levels;
        {{_float}}* __restrict _w = {{get_array_name(variables['_matrix'])}};
        {{_macros.in_parallel(size)}}
        for (uint32_t i = 0; i < {{size}}u; i++)
        {
            const {{_float}} _uniform = ({{_float}})(pool_bits(i, _first, _second) >> 8) / 16777216;
            const {{_float}} _whole = std::floor(_w[i] / _step + _uniform);
            _w[i] = _step * (_whole > _most ? _most : _whole < -_most ? -_most : _whole);
        }
    }
{% endblock %}
